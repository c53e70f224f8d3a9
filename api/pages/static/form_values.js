// The values of the export form: each field's value by its kind, or why it is invalid.

import { orderProblem } from "./date_ranges.js";
import { joinList, splitList } from "./id_lists.js";
import { text } from "./texts.js";

/** A value that is invalid before the server is asked. */
export class BadValue extends Error {}

/** The fields of the selected dataset. */
export function activeFields(form) {
  return [...form.querySelectorAll("[data-dataset]:not([disabled]) [data-param]")];
}

/** The request in the form, or null. `wrong(field, detail)` is called for each invalid field. */
export function collect(form, wrong) {
  const params = {};
  let whole = true;
  for (const field of activeFields(form)) {
    try {
      const value = fieldValue(field);
      if (value !== undefined) params[field.dataset.param] = value;
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      whole = false;
      wrong(field, error.message);
    }
  }
  const request = { type: form.elements.type.value, format: form.elements.format.value, params };
  // Other scripts add what they draw themselves.
  form.dispatchEvent(new CustomEvent("collect", {
    detail: {
      request,
      wrong: (field, detail) => {
        whole = false;
        wrong(field, detail);
      },
    },
  }));
  if (!whole) return null;
  if (form.elements.filename.value.trim()) request.filename = form.elements.filename.value.trim();
  const mail = form.elements.email_me;
  if (mail?.checked) request.notify = { email: mail.value };
  return request;
}

/** The value to send for a field. Undefined leaves it out, so that its default applies. */
function fieldValue(field) {
  if (field.dataset.kind === "boolean") return field.checked;
  if (field.dataset.kind === "choices") {
    return [...field.querySelectorAll(":checked")].map((box) => JSON.parse(box.value));
  }
  // A partly filled date has no value and would look like an empty one.
  if (field.validity.badInput) throw new BadValue(text("bad_value"));
  const value = field.value.trim();
  if (value === "") {
    if (field.getAttribute("aria-required") === "true") throw new BadValue(text("bad_required"));
    return "nullable" in field.dataset ? null : undefined;
  }
  const wrong = orderProblem(field);
  if (wrong) throw new BadValue(wrong);
  return READERS[field.dataset.kind]?.(value, field) ?? value;
}

/** Why the value of a field is invalid, or "". */
export function problemOf(field) {
  try {
    fieldValue(field);
  } catch (error) {
    if (error instanceof BadValue) return error.message;
    throw error;
  }
  return "";
}

/** Put the texts of a link into a field; whether it takes them. */
export function setValue(field, values) {
  const [value] = values;
  if (field.dataset.kind === "boolean") {
    field.checked = value === "true" || value === "1";
    return ["true", "false", "1", "0"].includes(value);
  }
  if (field.dataset.kind === "choices") {
    const boxes = [...field.querySelectorAll("input")];
    const known = values.every((one) => boxes.some((box) => saysSame(box.value, one)));
    if (known) for (const box of boxes) box.checked = values.some((one) => saysSame(box.value, one));
    return known;
  }
  if (field.dataset.kind === "choice") {
    const option = [...field.options].find((one) => one.value !== "" && saysSame(one.value, value));
    if (option) option.selected = true;
    return option !== undefined;
  }
  // One text may hold a whole list.
  if (field.dataset.kind === "list") field.value = values.length > 1 ? joinList(values) : value;
  else field.value = shown(field, value);
  // Browsers empty a date field that is given something else.
  return (field.value !== "" || value === "") && !(field.maxLength > 0 && field.value.length > field.maxLength);
}

/** Whether `choice`, which is JSON, stands for the text `value` in a link. */
const saysSame = (choice, value) => choice === value || String(JSON.parse(choice)) === value;

/** A moment as a field shows it, in the reader's time zone; everything else as it is. */
function shown(field, value) {
  const moment = new Date(value);
  if (field.dataset.kind !== "datetime" || Number.isNaN(moment.getTime())) return value;
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

const READERS = {
  integer: (value, field) => exactNumber(value, field, /^[+-]?\d+$/, "bad_integer"),
  number: (value, field) => exactNumber(value, field, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, "bad_number"),
  choice: (value) => JSON.parse(value),
  datetime: (value) => new Date(value).toISOString(),
  list: (value, field) => splitList(value, field.dataset.item),
  json: (value) => {
    try {
      return JSON.parse(value);
    } catch {
      throw new BadValue(text("bad_json"));
    }
  },
};

/** A number if it represents the digits exactly; otherwise the digits, for the server to parse. */
function exactNumber(value, field, pattern, problem) {
  if (!pattern.test(value)) throw new BadValue(text(problem));
  const { low, high } = field.dataset;
  if (low !== undefined && Number(value) < Number(low)) throw new BadValue(text("bad_low", { low }));
  if (high !== undefined && Number(value) > Number(high)) throw new BadValue(text("bad_high", { high }));
  return String(Number(value)) === value ? Number(value) : value;
}
