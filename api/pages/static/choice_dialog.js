// The dialog about what an export will hold: its columns, the order of its rows, and the first of them.

import { datasetTitle } from "./dataset_texts.js";
import { ColumnList } from "./column_list.js";
import { element } from "./elements.js";
import { clearFieldProblem, showFieldProblem } from "./field_problems.js";
import { FormChoice, problemOf } from "./form_choice.js";
import { collect } from "./form_values.js";
import { tellFailure } from "./notice.js";
import { PreviewTable } from "./preview_table.js";
import { SortList } from "./sort_list.js";
import { text } from "./texts.js";

/** Wire the dialog of the export form. */
export function wireChoice(form) {
  const dialog = document.getElementById("choice-dialog");
  const zone = dialog.querySelector("#choice-zone");
  const choice = new FormChoice(form);
  const columns = new ColumnList(dialog, () => changed());
  const sort = new SortList(dialog, () => changed());
  const table = new PreviewTable(dialog.querySelector(".choice-preview"), (error) => {
    dialog.close();
    tellFailure(error);
  });
  table.again = () => look();
  form.addEventListener("estimated", ({ detail }) => table.estimated(detail));
  let touched = false;

  function draw() {
    columns.show(choice.state.columns);
    sort.show(choice.state);
    zone.value = choice.zone;
    look();
  }

  function changed() {
    touched = true;
    choice.draw();
    look();
  }

  /** Show the rows of what is in the form now. */
  function look() {
    const wrong = [];
    const problem = problemOf(choice.state.columns);
    say(problem);
    if (problem) return table.refuse(problem);
    const request = collect(form, (field) => wrong.push(field));
    if (!request) return table.refuse(text("preview_form", { fields: wrong.map(nameOf).join(text("list_comma")) }));
    table.show(request, choice.state.columns, (known) => {
      if (choice.state.columns.length) return;
      choice.learn(known);
      columns.show(choice.state.columns);
      sort.show(choice.state);
    });
  }

  function say(problem) {
    const line = dialog.querySelector("#columns-problem");
    line.textContent = problem;
    line.hidden = !problem;
  }

  function open() {
    touched = false;
    dialog.querySelector("h2").textContent = text("choice_of", { title: datasetTitle(form.elements.type.value) });
    fillZones(zone, dialog.dataset.zone, choice.zone);
    draw();
    dialog.showModal();
  }

  form.querySelector("#choose").addEventListener("click", open);
  zone.addEventListener("change", () => {
    choice.zone = zone.value;
    changed();
  });
  dialog.querySelector("#choice-reset").addEventListener("click", () => {
    choice.reset();
    touched = true;
    choice.draw();
    draw();
  });
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    // The backdrop belongs to the dialog itself.
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    table.stop();
    const problem = problemOf(choice.state.columns);
    if (problem) showFieldProblem(form.querySelector("#choice"), problem);
    else clearFieldProblem(form.querySelector("#choice"));
    // The draft and the estimate follow the form.
    if (touched) form.dispatchEvent(new Event("change", { bubbles: true }));
  });
  return choice;
}

const nameOf = (field) => (document.querySelector(`label[for="${field.id}"]`)?.firstChild.textContent ?? "").trim();

function fillZones(select, standard, chosen) {
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = Intl.supportedValuesOf("timeZone");
  for (const zone of ["UTC", mine, chosen]) if (zone && !zones.includes(zone)) zones.unshift(zone);
  const all = element("optgroup", "", { label: text("zone_all") });
  all.append(...zones.map((zone) => element("option", zone, { value: zone })));
  const first = [element("option", text("zone_default", { zone: standard }), { value: "" })];
  if (mine !== standard) {
    const own = element("optgroup", "", { label: text("zone_mine") });
    own.append(element("option", mine, { value: mine }));
    first.push(own);
  }
  select.replaceChildren(...first, all);
  select.value = chosen;
}
