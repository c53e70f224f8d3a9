// A link that opens the form filled in: /?type=invoices&format=csv&city=Rome

import { showDataset, showFieldProblem } from "./export_form.js";
import { activeFields, problemOf, setValue } from "./form_values.js";
import { text } from "./texts.js";

const MOST_NAMES = 5;
const MOST_CHARS = 40;

/** Fill `form` from the query. Returns a hint about what it does not have, or "". */
export function fillFromLink(form, query) {
  const type = query.get("type");
  if (type === null) return "";
  if (![...form.elements.type.options].some((option) => option.value === type)) {
    return text("link_unknown_dataset", { name: shortened(type) });
  }
  form.elements.type.value = type;
  showDataset(form, type);
  const fields = activeFields(form);
  const unknown = [];
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    const field = fields.find((one) => one.dataset.param === name);
    if (field) fill(field, values);
    else if (name === "format") pick(form, values[0], unknown);
    else if (name === "filename") form.elements.filename.value = values[0].slice(0, 255);
    else if (name !== "type") unknown.push(name);
  }
  if (!unknown.length) return "";
  const names = unknown.slice(0, MOST_NAMES).map(shortened).join(", ");
  return text("link_unknown_names", { names: unknown.length > MOST_NAMES ? `${names}, …` : names });
}

function fill(field, values) {
  const before = field.value;
  if (!setValue(field, values) || problemOf(field)) {
    if (before !== undefined) field.value = before;
    showFieldProblem(field, text("link_bad_value", { value: shortened(values.join(", ")) }));
  }
}

function pick(form, value, unknown) {
  const radio = [...form.elements.format].find((one) => one.value === value);
  if (radio) radio.checked = true;
  else unknown.push(`format=${value}`);
}

const shortened = (name) => (name.length > MOST_CHARS ? `${name.slice(0, MOST_CHARS)}…` : name);
