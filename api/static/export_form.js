// The form for a new export: collects values by their kinds, shows errors beside the fields.

import { Refused, startExport } from "./calls.js";
import { text } from "./texts.js";

/** A value that is visibly wrong before anybody is asked. */
class BadValue extends Error {}

/** Make the form work; `started` gets each task it starts, `failed` what it cannot show. */
export function wireForm(form, { started, failed }) {
  const choice = form.elements.type;
  const button = form.querySelector("button");
  choice.addEventListener("change", () => showDataset(form, choice.value));
  // Browsers keep a choice over a reload.
  showDataset(form, choice.value);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblems(form);
    const request = collect(form);
    if (!request) return;
    button.disabled = true;
    try {
      started(await startExport(request));
    } catch (error) {
      if (error instanceof Refused && error.status !== 401) showProblems(form, error);
      else failed(error);
    } finally {
      button.disabled = false;
    }
  });
}

function showDataset(form, name) {
  for (const fieldset of form.querySelectorAll("[data-dataset]")) {
    fieldset.hidden = fieldset.disabled = fieldset.dataset.dataset !== name;
  }
  clearProblems(form);
}

function activeFields(form) {
  return [...form.querySelectorAll("[data-dataset]:not([disabled]) [data-param]")];
}

function collect(form) {
  const params = {};
  let whole = true;
  for (const field of activeFields(form)) {
    try {
      const value = valueOf(field);
      if (value !== undefined) params[field.dataset.param] = value;
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      whole = false;
      showFieldProblem(field, error.message);
    }
  }
  if (!whole) {
    focusFirstProblem(form);
    return null;
  }
  const request = { type: form.elements.type.value, format: form.elements.format.value, params };
  if (form.elements.filename.value.trim()) request.filename = form.elements.filename.value.trim();
  return request;
}

/** What to send for a field; undefined leaves it out, so that its default holds. */
function valueOf(field) {
  if (field.dataset.kind === "boolean") return field.checked;
  if (field.dataset.kind === "choices") {
    return [...field.querySelectorAll(":checked")].map((box) => JSON.parse(box.value));
  }
  // A half-filled date has no value, and would be taken for none.
  if (field.validity.badInput) throw new BadValue(text("bad_value"));
  const value = field.value.trim();
  if (value === "") return "nullable" in field.dataset ? null : undefined;
  return READERS[field.dataset.kind]?.(value) ?? value;
}

const READERS = {
  integer: exactNumber,
  number: exactNumber,
  choice: JSON.parse,
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

/** A number where a number says the same as its digits; else the digits, for the server. */
function exactNumber(value) {
  return String(Number(value)) === value ? Number(value) : value;
}

function showProblems(form, refused) {
  const left = [];
  for (const { pointer, detail } of refused.errors) {
    const field = fieldAt(form, pointer ?? "");
    if (field) showFieldProblem(field, detail);
    else left.push(detail);
  }
  if (left.length || !refused.errors.length) {
    const problem = form.querySelector("#form-problem");
    const detail = left.length ? left.join(" · ") : refused.message;
    problem.textContent = text("failed_request", { detail, code: refused.code });
    problem.hidden = false;
  }
  focusFirstProblem(form);
}

function fieldAt(form, pointer) {
  const [, section, name] = pointer.split("/");
  if (section === "filename") return form.elements.filename;
  if (section !== "params") return null;
  return activeFields(form).find((field) => field.dataset.param === name);
}

function showFieldProblem(field, detail) {
  const row = field.closest(".field");
  const problem = row.querySelector(".field-problem");
  problem.textContent = detail;
  problem.hidden = false;
  row.classList.add("wrong");
  field.setAttribute("aria-invalid", "true");
}

function clearProblems(form) {
  for (const problem of form.querySelectorAll(".field-problem, .form-problem")) problem.hidden = true;
  for (const row of form.querySelectorAll(".wrong")) row.classList.remove("wrong");
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function focusFirstProblem(form) {
  const field = form.querySelector("[aria-invalid]");
  (field?.matches("[role=group]") ? field.querySelector("input") : field)?.focus();
}
