// The form filled in from an earlier export or a saved one, to change it and to run it again.

import { showDataset } from "./export_form.js";
import { showFieldProblem } from "./field_problems.js";
import { activeFields } from "./form_values.js";
import { joinList } from "./id_lists.js";
import { text } from "./texts.js";

/** Fill `form` with the request in `task`. Returns a hint about what could not be taken, or "". */
export function fillFromTask(form, task) {
  const { type, format, filename } = form.elements;
  if (![...type.options].some((option) => option.value === task.type)) {
    return text("link_unknown_dataset", { name: task.type });
  }
  type.value = task.type;
  showDataset(form, task.type);
  type.dispatchEvent(new Event("change", { bubbles: true }));
  for (const field of activeFields(form)) {
    const value = task.params[field.dataset.param];
    if (value === undefined) setDefault(field);
    else if (!setJson(field, value)) showFieldProblem(field, text("bad_again"));
  }
  format.value = task.format;
  filename.value = task.filename_pattern ?? "";
  if (form.elements.email_me) form.elements.email_me.checked = false;
  // Other scripts fill in what they draw themselves.
  form.dispatchEvent(new CustomEvent("fillfromtask", { detail: task }));
  form.dispatchEvent(new Event("input", { bubbles: true }));
  return "";
}

/** Put a value of a request into its field; whether it takes it. */
function setJson(field, value) {
  switch (field.dataset.kind) {
    case "boolean":
      field.checked = Boolean(value);
      return true;
    case "choices": {
      const wanted = new Set((value ?? []).map((one) => JSON.stringify(one)));
      const boxes = [...field.querySelectorAll("input[type=checkbox]")];
      for (const box of boxes) box.checked = wanted.has(JSON.stringify(JSON.parse(box.value)));
      return boxes.filter((box) => box.checked).length === wanted.size;
    }
    case "choice": {
      const wanted = value === null ? "" : JSON.stringify(value);
      const option = [...field.options].find((one) => (one.value === "" ? "" : JSON.stringify(JSON.parse(one.value))) === wanted);
      if (option) option.selected = true;
      return option !== undefined;
    }
    case "list":
      field.value = joinList(value ?? []);
      return true;
    case "json":
      field.value = value === null ? "" : JSON.stringify(value);
      return true;
    case "datetime":
      field.value = value === null ? "" : local(value);
      return value === null || field.value !== "";
    default:
      field.value = value ?? "";
      return value === null || field.value === String(value);
  }
}

/** A field that the request leaves out, as it is at first. */
function setDefault(field) {
  for (const one of field.matches("[role=group]") ? field.querySelectorAll("input") : [field]) {
    if (one.matches("[type=checkbox]")) one.checked = one.defaultChecked;
    else if (one.options) one.selectedIndex = Math.max(0, [...one.options].findIndex((option) => option.defaultSelected));
    else one.value = one.defaultValue;
  }
}

/** A moment as a field shows it, in the reader's time zone. */
function local(value) {
  const moment = new Date(value);
  if (Number.isNaN(moment.getTime())) return value;
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
