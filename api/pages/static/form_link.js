// A link that opens the form filled in: /?type=invoices&format=csv&city=Rome&columns=id,total&sort=-total

import { datasetColumns } from "./dataset_texts.js";
import { showDataset } from "./export_form.js";
import { showFieldProblem } from "./field_problems.js";
import { activeFields, problemOf, setValue } from "./form_values.js";
import { text } from "./texts.js";

const MOST_NAMES = 5;
const MOST_CHARS = 40;

/**
 * Fill `form` from the query. Returns a hint about what it does not have, or "". `fillChoice` takes
 * columns, sort and timezone, and returns the names that the dataset does not have.
 */
export function fillFromLink(form, query, fillChoice) {
  const type = query.get("type");
  if (type === null) return "";
  if (![...form.elements.type.options].some((option) => option.value === type)) {
    return text("link_unknown_dataset", { name: shortened(type) });
  }
  form.elements.type.value = type;
  showDataset(form, type);
  const fields = activeFields(form);
  const unknown = [];
  const choice = {};
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    const field = fields.find((one) => one.dataset.param === name);
    if (field) fill(field, values);
    else if (name === "format") pick(form, values[0], unknown);
    else if (name === "filename") form.elements.filename.value = values[0].slice(0, 255);
    else if (name === "columns" || name === "sort") choice[name] = namesIn(values, datasetColumns(type));
    else if (name === "timezone") zoneIn(values[0], choice, unknown);
    else if (name === "csv" && [...form.elements.csv.options].some((one) => one.value === values[0])) form.elements.csv.value = values[0];
    else if (name !== "type") unknown.push(name);
  }
  unknown.push(...fillChoice(choice));
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

/** Names of columns: repeated, or in one value with commas. */
function namesIn(values, columns) {
  const known = new Set(columns.map(({ name }) => name));
  return values.flatMap((value) => (known.has(value) ? [value] : value.split(","))).filter(Boolean);
}

function zoneIn(zone, choice, unknown) {
  try {
    choice.timezone = new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone && zone;
  } catch {
    unknown.push(`timezone=${zone}`);
  }
}

const shortened = (name) => (name.length > MOST_CHARS ? `${name.slice(0, MOST_CHARS)}…` : name);
