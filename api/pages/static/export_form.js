// The form for a new export: submits it once, and shows errors next to their fields.

import { Refused, startExport } from "./calls.js";
import { datasetFormats } from "./dataset_texts.js";
import { clearProblems, showFieldProblem } from "./field_problems.js";
import { activeFields, collect } from "./form_values.js";
import { refusal } from "./notice.js";
import { Once } from "./once.js";
import { text } from "./texts.js";

/** Wire the form. `started` gets each new task; `failed` gets errors that the form cannot show. */
export function wireForm(form, { started, failed }) {
  const choice = form.elements.type;
  const button = form.querySelector("#submit");
  const once = new Once();
  choice.addEventListener("change", () => showDataset(form, choice.value));
  // Browsers restore the selection after a reload.
  showDataset(form, choice.value);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblems(form);
    const request = collect(form, showFieldProblem);
    if (!request) return void focusFirstProblem(form);
    button.setAttribute("aria-busy", "true");
    button.textContent = text("submitting");
    try {
      const { answer, first, twice } = await once.run(JSON.stringify(request), (key) => startExport(request, key));
      if (first || !answer.deduplicated) started(answer, { twice: twice && !answer.deduplicated, asked: request.filename });
    } catch (error) {
      if (error instanceof Refused && error.status !== 401) showProblems(form, error);
      else failed(error);
    } finally {
      button.removeAttribute("aria-busy");
      button.textContent = text("submit");
    }
  });
}

/** Show the fields of the dataset `name`, and no other's. Event `datasetshow`: it was done. */
export function showDataset(form, name) {
  for (const fieldset of form.querySelectorAll("[data-dataset]")) {
    fieldset.hidden = fieldset.disabled = fieldset.dataset.dataset !== name;
  }
  offerFormats(form, datasetFormats(name));
  clearProblems(form);
  form.dispatchEvent(new CustomEvent("datasetshow"));
}

/** Show the `formats` and no others; one of them is chosen. */
function offerFormats(form, formats) {
  const radios = [...form.elements.format];
  for (const radio of radios) radio.closest(".chip").hidden = radio.disabled = !formats.includes(radio.value);
  const offered = radios.filter((radio) => !radio.disabled);
  if (!offered.some((radio) => radio.checked) && offered.length) offered[0].checked = true;
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
    problem.textContent = left.length
      ? text("failed_request", { detail: left.join(" · "), code: refused.code })
      : refusal(refused);
    problem.hidden = false;
  }
  focusFirstProblem(form);
}

/** The field that a pointer into the request means, if the form has it. */
export function fieldAt(form, pointer) {
  const [, section, name] = pointer.split("/");
  if (["filename", "reason", "password"].includes(section)) return form.elements[section];
  if (section === "csv") return form.elements[`csv_${name}`] ?? form.elements.csv;
  if (["columns", "sort", "timezone"].includes(section)) return form.querySelector("#choice");
  if (section !== "params") return null;
  return activeFields(form).find((field) => field.dataset.param === name);
}

function focusFirstProblem(form) {
  const field = form.querySelector("[aria-invalid]");
  (field?.matches("[role=group]") ? field.querySelector("input, button") : field)?.focus();
}
