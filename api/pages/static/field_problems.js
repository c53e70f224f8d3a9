// What is wrong with a field, said beside it.

/** Say at a field what is wrong with it; `byServer`: as the server says, until it is asked again. */
export function showFieldProblem(field, detail, { byServer = false } = {}) {
  const row = field.closest(".field");
  const problem = row.querySelector(".field-problem:not(.list-problem)");
  problem.textContent = detail;
  problem.hidden = false;
  row.classList.add("wrong");
  row.toggleAttribute("data-by-server", byServer);
  field.setAttribute("aria-invalid", "true");
  const more = field.closest("details");
  if (more) more.open = true;
}

/** Nothing is wrong with a field any more. */
export function clearFieldProblem(field) {
  const row = field.closest(".field");
  row.querySelector(".field-problem:not(.list-problem)").hidden = true;
  row.classList.remove("wrong");
  row.removeAttribute("data-by-server");
  field.removeAttribute("aria-invalid");
}

/** Nothing is wrong in the whole form any more. */
export function clearProblems(form) {
  for (const problem of form.querySelectorAll(".field-problem, .form-problem")) problem.hidden = true;
  for (const row of form.querySelectorAll(".wrong")) {
    row.classList.remove("wrong");
    row.removeAttribute("data-by-server");
  }
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}
