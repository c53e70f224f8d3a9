// The values of the export form: each field's value by its kind, or why it is invalid.

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
  if (!whole) return null;
  const request = { type: form.elements.type.value, format: form.elements.format.value, params };
  if (form.elements.filename.value.trim()) request.filename = form.elements.filename.value.trim();
  // The field is hidden for other formats, by form.css.
  const profile = form.elements.csv.value;
  if (profile && request.format.startsWith("csv")) request.csv = { profile };
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
  return READERS[field.dataset.kind]?.(value, field) ?? value;
}

const READERS = {
  integer: (value, field) => exactNumber(value, field, /^[+-]?\d+$/, "bad_integer"),
  number: (value, field) => exactNumber(value, field, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, "bad_number"),
  choice: (value) => JSON.parse(value),
  datetime: (value) => new Date(value).toISOString(),
  list: (value) => value.split("\n").map((line) => line.trim()).filter(Boolean),
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
