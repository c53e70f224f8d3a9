// What the file of an export will hold: its columns, the order of its rows, and its time zone.

import { datasetColumns, sheetTitles } from "./dataset_texts.js";
import { phrases } from "./elements.js";
import { number, text } from "./texts.js";

export class FormChoice {
  #form;
  #states = new Map();
  #zone = "";

  /** `changed()` is called when the choice was filled in from elsewhere. */
  constructor(form, changed = () => {}) {
    this.#form = form;
    form.addEventListener("collect", ({ detail }) => this.#collect(detail));
    form.addEventListener("draftsave", ({ detail }) => { detail.choice = this.asked(); });
    form.addEventListener("draftrestore", ({ detail }) => {
      this.fill(detail.choice ?? {});
      changed();
    });
    form.addEventListener("fillfromtask", ({ detail }) => {
      this.fill(detail);
      changed();
    });
    form.addEventListener("change", () => this.draw());
    this.draw();
  }

  /** Columns in their order, and what rows are sorted by, for the selected dataset. */
  get state() {
    const type = this.#form.elements.type.value;
    if (!this.#states.has(type)) this.#states.set(type, { columns: datasetColumns(type).map(asChosen), sort: [] });
    return this.#states.get(type);
  }

  get zone() {
    return this.#zone;
  }

  set zone(name) {
    this.#zone = name;
  }

  /** Everything as the dataset has it. */
  reset() {
    this.#states.delete(this.#form.elements.type.value);
    this.#zone = "";
  }

  /** The columns of a dataset that tells them only with its rows. */
  learn(columns) {
    if (!this.state.columns.length) this.state.columns.push(...columns.map(asChosen));
  }

  /** Take the choice of a request. Returns what the dataset does not have. */
  fill({ columns, sort, timezone }) {
    this.reset();
    this.#zone = timezone ?? "";
    const { state } = this;
    const unknown = [];
    if (columns?.length) {
      const left = new Map(state.columns.map((column) => [column.name, { ...column, chosen: false }]));
      const known = left.size > 0;
      const first = [];
      for (const one of columns) {
        const { name, label } = typeof one === "string" ? { name: one } : one;
        const column = left.get(name) ?? (known ? null : asChosen({ name, label: name, type: "unknown", help: "" }));
        left.delete(name);
        if (column) first.push({ ...column, chosen: true, heading: label && label !== column.label ? label : "" });
        else unknown.push(name);
      }
      if (first.length) state.columns = [...first, ...left.values()];
    }
    for (const one of sort ?? []) {
      const key = typeof one === "string" ? { column: one.replace(/^-/, ""), descending: one.startsWith("-") } : one;
      const has = state.columns.some((column) => column.name === key.column);
      if (has || !state.columns.length) state.sort.push({ column: key.column, descending: Boolean(key.descending) });
      else unknown.push(key.column);
    }
    this.draw();
    return unknown;
  }

  /** The choice as a request has it, with no member for what is as usual. */
  asked() {
    const { columns, sort } = this.state;
    const asked = {};
    if (isChanged(columns, datasetColumns(this.#form.elements.type.value))) {
      asked.columns = chosenOf(columns).map(({ name, heading }) => (heading ? { name, label: heading } : name));
    }
    if (sort.length) asked.sort = sort.map(({ column, descending }) => ({ column, descending }));
    if (this.#zone) asked.timezone = this.#zone;
    return asked;
  }

  /** Say in the form what is chosen. */
  draw() {
    const sheets = sheetTitles(this.#form.elements.type.value);
    const name = sheets.length ? "sheets_label" : "choice_label";
    this.#form.querySelector("#choice-label").textContent = text(name);
    this.#form.querySelector("#choose").hidden = sheets.length > 0;
    phrases(this.#form.querySelector("#choice-text"), sheets.length ? [sheets.join(text("list_comma"))] : this.#words());
  }

  #words() {
    const { columns, sort } = this.state;
    const chosen = chosenOf(columns);
    const words = [];
    if (!columns.length) words.push(text("choice_every"));
    else if (chosen.length < columns.length) {
      words.push(text("choice_some", { count: number(chosen.length), all: number(columns.length) }));
    } else words.push(text(columns.length === 1 ? "choice_all_one" : "choice_all", { count: number(columns.length) }));
    const own = datasetColumns(this.#form.elements.type.value).map(({ name }) => name);
    const places = chosen.map(({ name }) => own.indexOf(name));
    if (places.some((place, at) => at && place < places[at - 1])) words.push(text("choice_reordered"));
    const renamed = chosen.filter(({ heading }) => heading).length;
    if (renamed) words.push(text("choice_renamed", { count: number(renamed) }));
    if (sort.length) {
      const keys = sort.map(({ column, descending }) => `${labelOf(columns, column)} ${descending ? "↓" : "↑"}`);
      words.push(text("choice_sorted", { columns: keys.join(text("list_comma")) }));
    }
    if (this.#zone) words.push(text("choice_zone", { zone: this.#zone }));
    return words;
  }

  #collect({ request, wrong }) {
    const problem = problemOf(this.state.columns);
    if (problem) wrong(this.#form.querySelector("#choice"), problem);
    else Object.assign(request, this.asked());
  }
}

export const chosenOf = (columns) => columns.filter(({ chosen }) => chosen);
export const headingOf = (column) => column.heading || column.label;

/** The label of the column called `name`. */
export const labelOf = (columns, name) => columns.find((column) => column.name === name)?.label ?? name;

/** What is wrong with the chosen columns, or "". */
export function problemOf(columns) {
  const chosen = chosenOf(columns);
  if (columns.length && !chosen.length) return text("columns_empty");
  const seen = new Set();
  for (const column of chosen) {
    const folded = headingOf(column).trim().toLowerCase();
    // Two that the dataset itself calls alike are its own affair.
    if (seen.has(folded) && chosen.some(({ heading }) => heading.trim().toLowerCase() === folded)) {
      return text("column_same", { heading: headingOf(column) });
    }
    seen.add(folded);
  }
  return "";
}

const asChosen = (column) => ({ ...column, chosen: true, heading: "" });

function isChanged(columns, own) {
  if (columns.some(({ chosen, heading }) => !chosen || heading)) return true;
  return own.length > 0 && columns.some(({ name }, at) => name !== own[at].name);
}
