// What is wrong with a field is said beside it when it is left, before anything is started.

import { fieldAt } from "./export_form.js";
import { clearFieldProblem, showFieldProblem } from "./field_problems.js";
import { problemOf } from "./form_values.js";
import { afterPress } from "./presses.js";

/** Wire the fields of `form`. */
export function wireChecks(form) {
  form.addEventListener("change", ({ target }) => {
    const field = target.closest("[data-param]");
    if (field) afterPress(() => check(field));
  });
  form.addEventListener("input", ({ target }) => {
    const field = target.closest("[data-param][aria-invalid]");
    // A value is checked when its field is left, but a problem that is gone goes at once.
    if (field && !problemOf(field)) clearFieldProblem(field);
  });
  // What only the server knows comes with the estimate.
  form.addEventListener("refused", ({ detail }) => {
    for (const { pointer, detail: problem } of detail) {
      const field = fieldAt(form, pointer ?? "");
      if (field && field !== document.activeElement) showFieldProblem(field, problem, { byServer: true });
    }
  });
  form.addEventListener("estimated", () => {
    for (const row of form.querySelectorAll("[data-by-server]")) clearFieldProblem(row.querySelector("[aria-invalid]") ?? row);
  });
}

/** Say what is wrong with `field`, or that nothing is any more. */
function check(field) {
  const problem = problemOf(field);
  if (problem) showFieldProblem(field, problem);
  else clearFieldProblem(field);
}

