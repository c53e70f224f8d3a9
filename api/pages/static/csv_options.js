// How CSV is written: a style, and what differs from it.

import { clearFieldProblem, showFieldProblem } from "./field_problems.js";
import { text } from "./texts.js";

const OPTIONS = ["delimiter", "decimal", "bom", "times"];
const isCsv = (form) => form.elements.format.value.startsWith("csv");

/** Wire the CSV options of `form`. They are hidden for other formats, by form.css. */
export function wireCsvOptions(form) {
  const part = (name) => form.elements[`csv_${name}`];
  const style = () => form.elements.csv.selectedOptions[0]?.dataset ?? {};
  // The installation's own style is not known here: then the server judges.
  const effective = (name) => part(name).value || style()[name];

  function problem() {
    const [delimiter, decimal] = [effective("delimiter"), effective("decimal")];
    return delimiter && delimiter === decimal ? text("csv_same_signs") : "";
  }

  form.addEventListener("collect", ({ detail: { request, wrong } }) => {
    if (!isCsv(form)) return;
    if (problem()) return wrong(part("decimal"), problem());
    const csv = {};
    if (form.elements.csv.value) csv.profile = form.elements.csv.value;
    for (const name of OPTIONS) {
      const { value } = part(name);
      if (value) csv[name] = name === "bom" ? value === "true" : value;
    }
    if (Object.keys(csv).length) request.csv = csv;
  });
  form.addEventListener("change", ({ target }) => {
    if (!target.name?.startsWith("csv")) return;
    if (problem()) showFieldProblem(part("decimal"), problem());
    else for (const name of OPTIONS) clearFieldProblem(part(name));
  });
  form.addEventListener("fillfromtask", ({ detail: { csv } }) => {
    const has = [...form.elements.csv.options].some((option) => option.value === csv?.profile);
    form.elements.csv.value = has ? csv.profile : "";
    for (const name of OPTIONS) {
      const value = csv?.[name] === undefined || csv[name] === null ? "" : String(csv[name]);
      part(name).value = value === style()[name] ? "" : value;
    }
    open();
  });
  form.addEventListener("draftrestore", open);

  function open() {
    form.querySelector("#csv-more").open = OPTIONS.some((name) => part(name).value);
  }
}
