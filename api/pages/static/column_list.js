// The columns of a file as a list: chosen by boxes, ordered by dragging or by buttons, and renamed.

import { headingOf } from "./form_choice.js";
import { number, text } from "./texts.js";

const SEARCHED_FROM = 12;

export class ColumnList {
  #root;
  #list;
  #search;
  #template = document.getElementById("column-template");
  #columns = [];
  #changed;

  /** `changed()` is called after each change of the columns that `show` was given. */
  constructor(root, changed) {
    this.#root = root;
    this.#list = root.querySelector("#columns");
    this.#search = root.querySelector("#columns-search");
    this.#changed = changed;
    this.#search.addEventListener("input", () => this.#filter());
    this.#list.addEventListener("change", (event) => this.#tick(event));
    this.#list.addEventListener("click", (event) => this.#press(event));
    this.#list.addEventListener("input", (event) => this.#name(event));
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("pointerdown", (event) => this.#drag(event));
    for (const button of root.querySelectorAll("[data-columns]")) {
      button.addEventListener("click", () => this.#all(button.dataset.columns === "all"));
    }
  }

  /** Draw `columns`. Changes are made in this very array. */
  show(columns) {
    this.#columns = columns;
    this.#search.value = "";
    this.#search.hidden = columns.length <= SEARCHED_FROM;
    this.#root.querySelector("#columns-unknown").hidden = columns.length > 0;
    for (const button of this.#root.querySelectorAll("[data-columns]")) button.hidden = !columns.length;
    this.#list.replaceChildren(...columns.map((column) => this.#rowOf(column)));
    this.#count();
  }

  #rowOf(column) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    const slot = (name) => row.querySelector(`[data-slot="${name}"]`);
    row.dataset.name = column.name;
    row.querySelector("[type=checkbox]").checked = column.chosen;
    slot("masked").hidden = !column.masked;
    slot("type").textContent = text(`type_${column.type}`);
    slot("help").textContent = column.help;
    const heading = row.querySelector(".column-heading");
    heading.placeholder = column.label;
    heading.value = column.heading;
    heading.setAttribute("aria-label", text("column_heading", { column: column.label }));
    for (const button of row.querySelectorAll("[data-column]")) {
      const name = text(`column_${button.dataset.column}`, { column: column.label });
      button.setAttribute("aria-label", name);
      button.title = name;
    }
    label(row, column);
    return row;
  }

  #columnOf(row) {
    return this.#columns.find(({ name }) => name === row.dataset.name);
  }

  #tick({ target }) {
    if (target.type !== "checkbox") return;
    this.#columnOf(target.closest("li")).chosen = target.checked;
    this.#done();
  }

  #all(chosen) {
    for (const row of this.#shown()) {
      row.querySelector("[type=checkbox]").checked = chosen;
      this.#columnOf(row).chosen = chosen;
    }
    this.#done();
  }

  #press(event) {
    const button = event.target.closest("[data-column]");
    if (!button) return;
    const row = button.closest("li");
    if (button.dataset.column === "rename") this.#openHeading(row, button);
    else this.#step(row, button.dataset.column === "up" ? -1 : 1, button);
  }

  #openHeading(row, button) {
    const heading = row.querySelector(".column-heading");
    heading.hidden = !heading.hidden;
    button.setAttribute("aria-expanded", String(!heading.hidden));
    if (!heading.hidden) heading.select();
  }

  #name({ target }) {
    if (!target.matches(".column-heading")) return;
    const row = target.closest("li");
    const column = this.#columnOf(row);
    const heading = target.value.trim();
    column.heading = heading === column.label ? "" : heading;
    label(row, column);
    this.#done();
  }

  #key(event) {
    const row = event.target.closest("li");
    if (event.target.matches(".column-heading") && (event.key === "Enter" || event.key === "Escape")) {
      event.preventDefault();
      const button = row.querySelector("[data-column=rename]");
      this.#openHeading(row, button);
      button.focus();
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      this.#step(row, event.key === "ArrowUp" ? -1 : 1, event.target);
    }
  }

  #step(row, by, focused) {
    const rows = this.#shown();
    const other = rows[rows.indexOf(row) + by];
    if (!other) return;
    if (by < 0) other.before(row);
    else other.after(row);
    focused.focus();
    row.scrollIntoView({ block: "nearest" });
    this.#reorder(row);
  }

  #drag(event) {
    const grip = event.target.closest(".grip");
    if (!grip || event.button !== 0) return;
    event.preventDefault();
    const row = grip.closest("li");
    const before = this.#order();
    row.classList.add("dragged");
    grip.setPointerCapture(event.pointerId);
    const move = ({ clientX, clientY }) => {
      const over = document.elementFromPoint(clientX, clientY)?.closest("#columns > li");
      if (!over || over === row) return;
      const { top, height } = over.getBoundingClientRect();
      if (clientY < top + height / 2) over.before(row);
      else over.after(row);
    };
    const stop = () => {
      row.classList.remove("dragged");
      grip.removeEventListener("pointermove", move);
      grip.removeEventListener("pointerup", stop);
      grip.removeEventListener("pointercancel", stop);
      if (this.#order() !== before) this.#reorder(row);
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", stop);
    grip.addEventListener("pointercancel", stop);
  }

  #order() {
    return [...this.#list.children].map((row) => row.dataset.name).join("\n");
  }

  #reorder(row) {
    const places = new Map([...this.#list.children].map((one, at) => [one.dataset.name, at]));
    this.#columns.sort((one, other) => places.get(one.name) - places.get(other.name));
    const column = this.#columnOf(row);
    this.#root.querySelector("#columns-said").textContent = text("column_moved", {
      column: headingOf(column), position: number(this.#columns.indexOf(column) + 1), all: number(this.#columns.length),
    });
    this.#done();
  }

  #filter() {
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.#list.children) {
      const { name, label: own, heading } = this.#columnOf(row);
      const said = `${name} ${own} ${heading}`.toLowerCase();
      row.hidden = !words.every((word) => said.includes(word));
    }
    this.#ends();
  }

  #shown() {
    return [...this.#list.children].filter((row) => !row.hidden);
  }

  #done() {
    this.#count();
    this.#changed();
  }

  #count() {
    const chosen = this.#columns.filter((column) => column.chosen).length;
    const said = this.#columns.length ? text("columns_count", { count: number(chosen), all: number(this.#columns.length) }) : "";
    this.#root.querySelector("#columns-count").textContent = said;
    this.#ends();
  }

  /** The first cannot go up, nor the last down. */
  #ends() {
    const rows = this.#shown();
    for (const [at, row] of rows.entries()) {
      row.querySelector("[data-column=up]").setAttribute("aria-disabled", String(at === 0));
      row.querySelector("[data-column=down]").setAttribute("aria-disabled", String(at === rows.length - 1));
    }
  }
}

function label(row, column) {
  const shown = column.heading ? text("column_own", { heading: column.heading, column: column.label }) : column.label;
  row.querySelector('[data-slot="label"]').textContent = shown;
}
