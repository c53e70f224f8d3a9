// What the rows of a file are sorted by: columns with their direction, the first one first.

import { element } from "./elements.js";
import { labelOf } from "./form_choice.js";
import { number, text } from "./texts.js";

const MOST_KEYS = 16;

export class SortList {
  #root;
  #list;
  #add;
  #state = { columns: [], sort: [] };
  #changed;

  constructor(root, changed) {
    this.#root = root;
    this.#list = root.querySelector("#order");
    this.#add = root.querySelector("#order-add");
    this.#changed = changed;
    this.#add.addEventListener("click", () => this.#another());
    this.#list.addEventListener("change", () => this.#read());
    this.#list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-order=remove]");
      if (button) this.#remove([...this.#list.children].indexOf(button.closest("li")));
    });
  }

  /** Draw the order of `state`. Changes are made in its very `sort`. */
  show(state) {
    this.#state = state;
    this.#draw();
  }

  #free() {
    const taken = new Set(this.#state.sort.map(({ column }) => column));
    return this.#state.columns.filter(({ name, masked }) => !masked && !taken.has(name));
  }

  #draw() {
    const { sort } = this.#state;
    this.#root.querySelector("#order-own").hidden = sort.length > 0;
    this.#add.hidden = !this.#free().length || sort.length >= MOST_KEYS;
    this.#list.replaceChildren(...sort.map((key, at) => this.#lineOf(key, at)));
  }

  #lineOf(key, at) {
    const line = document.getElementById("order-template").content.firstElementChild.cloneNode(true);
    const part = (name) => line.querySelector(`[data-order=${name}]`);
    const { columns } = this.#state;
    const options = columns.filter(({ name }) => name === key.column || this.#free().some((free) => free.name === name));
    part("column").replaceChildren(...options.map(({ name, label }) => element("option", label, { value: name })));
    part("column").value = key.column;
    part("column").setAttribute("aria-label", text("order_column", { position: number(at + 1) }));
    part("direction").value = key.descending ? "-" : "";
    part("direction").setAttribute("aria-label", text("order_direction", { position: number(at + 1) }));
    part("remove").setAttribute("aria-label", text("order_remove", { column: labelOf(columns, key.column) }));
    return line;
  }

  #another() {
    const [next] = this.#free();
    this.#state.sort.push({ column: next.name, descending: false });
    this.#draw();
    this.#list.lastElementChild.querySelector("select").focus();
    this.#changed();
  }

  #read() {
    const focused = document.activeElement?.closest("#order > li");
    const at = [...this.#list.children].indexOf(focused);
    const part = document.activeElement?.dataset.order;
    this.#state.sort.splice(0, Infinity, ...[...this.#list.children].map((line) => ({
      column: line.querySelector("[data-order=column]").value,
      descending: line.querySelector("[data-order=direction]").value === "-",
    })));
    this.#draw();
    if (at >= 0) this.#list.children[at].querySelector(`[data-order=${part}]`).focus();
    this.#changed();
  }

  #remove(at) {
    this.#state.sort.splice(at, 1);
    this.#draw();
    (this.#list.children[at]?.querySelector("[data-order=remove]") ?? this.#add).focus();
    this.#changed();
  }
}
