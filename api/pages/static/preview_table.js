// The first rows of an export in a table. They are read on demand, and the reading ends with the dialog.

import { preview, Refused, Unreachable } from "./calls.js";
import { filtersOf } from "./dataset_texts.js";
import { element, moment } from "./elements.js";
import { chosenOf, headingOf } from "./form_choice.js";
import { refusal } from "./notice.js";
import { counted, momentOrClock, number, text } from "./texts.js";

const TYPING_MS = 400;
const RIGHT = new Set(["integer", "number"]);

export class PreviewTable {
  #root;
  #table;
  #problem;
  #said;
  #asking = null;
  #timer = null;
  #loaded = null;
  #shown = null;
  #estimate = null;
  #refused;

  /** `refused(error)` is called for a session that is over. */
  constructor(root, refused) {
    this.#root = root;
    this.#table = root.querySelector("#preview");
    this.#problem = root.querySelector("#preview-problem");
    this.#said = root.querySelector("#preview-said");
    this.#refused = refused;
    this.again = () => {};
    root.querySelector("#preview-again").addEventListener("click", () => this.again());
  }

  /** Say how many rows there are, as the estimate knows. */
  estimated(result) {
    this.#estimate = result;
    if (this.#shown) this.#say();
  }

  /**
   * Show `columns` of what `request` asks for. Columns that are there already are drawn at once; else
   * the rows are read a moment later. `learn` gets the columns of an answer.
   */
  show(request, columns, learn) {
    clearTimeout(this.#timer);
    const chosen = chosenOf(columns);
    const key = keyOf(request);
    this.#drawFilters(request);
    const known = new Set(this.#loaded?.columns.map(({ name }) => name));
    const has = this.#loaded?.key === key && columns.length && chosen.every(({ name }) => known.has(name));
    this.#asking?.abort();
    this.#asking = null;
    if (has) return this.#draw(chosen);
    this.#busy();
    this.#timer = setTimeout(() => this.#ask(key, request, chosen, learn), this.#loaded ? TYPING_MS : 0);
  }

  /** Show no rows, and why. */
  refuse(detail) {
    this.stop();
    this.#tell(detail, { again: false });
  }

  /** End the reading. */
  stop() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
    this.#root.removeAttribute("aria-busy");
  }

  async #ask(key, request, chosen, learn) {
    const mine = new AbortController();
    this.#asking = mine;
    const { type, params, columns, sort, timezone } = request;
    try {
      const answer = await preview(type, { params, columns, sort, timezone }, mine.signal);
      if (mine !== this.#asking) return;
      this.#loaded = { ...answer, key };
      learn(answer.columns);
      this.#draw(chosen.length ? chosen : answer.columns.map((column) => ({ ...column, heading: "" })));
    } catch (error) {
      if (mine !== this.#asking) return;
      this.#failed(error);
    } finally {
      if (mine === this.#asking) this.stop();
    }
  }

  #failed(error) {
    if (error instanceof Refused && error.status === 401) this.#refused(error);
    else if (error instanceof Refused) {
      const wrong = error.errors.map(({ detail }) => detail).join(" ");
      const slow = error.code === "preview_too_slow" ? text("preview_slow") : "";
      this.#tell(slow || wrong || refusal(error), { again: error.status >= 429 });
    } else if (error instanceof Unreachable) this.#tell(text("preview_offline"), { again: true });
    else throw error;
  }

  #busy() {
    this.#root.setAttribute("aria-busy", "true");
    this.#problem.hidden = true;
    this.#said.textContent = text("preview_loading");
  }

  #tell(detail, { again }) {
    this.#shown = null;
    this.#loaded = null;
    this.#said.textContent = "";
    this.#problem.hidden = false;
    this.#problem.querySelector("p").textContent = detail;
    this.#problem.querySelector("button").hidden = !again;
    this.#root.querySelector("#preview-scroll").hidden = true;
  }

  #draw(chosen) {
    const { columns, rows } = this.#loaded;
    this.#root.removeAttribute("aria-busy");
    this.#problem.hidden = true;
    this.#root.querySelector("#preview-scroll").hidden = false;
    const places = chosen.map(({ name }) => columns.findIndex((column) => column.name === name));
    const kinds = places.map((at) => (RIGHT.has(columns[at].type) ? "number" : ""));
    const head = element("tr");
    head.append(...chosen.map((column, at) => element("th", headingOf(column), { scope: "col", class: kinds[at], title: column.name })));
    this.#table.tHead.replaceChildren(head);
    this.#table.tBodies[0].replaceChildren(...rows.map((row) => {
      const line = element("tr");
      line.append(...places.map((at, place) => cellOf(row[at], kinds[place])));
      return line;
    }));
    this.#shown = rows.length;
    this.#say();
  }

  #say() {
    const { more, rows, snapshot_at: at, timezone, columns } = this.#loaded;
    if (!rows.length) {
      this.#said.replaceChildren(text("preview_none"));
      return;
    }
    const total = this.#estimate?.rows ?? null;
    const parts = [rowsOf(rows.length, more, total, this.#estimate?.rows_known_by === "exact")];
    const asOf = text("preview_as_of", { time: "\0" }).split("\0");
    const said = [parts[0], " · ", asOf[0], moment(at, momentOrClock(at)), asOf[1]];
    if (columns.some(({ type }) => type === "datetime")) said.push(` · ${text("preview_zone", { zone: timezone })}`);
    this.#said.replaceChildren(...said);
  }

  #drawFilters(request) {
    const chips = filtersOf(request, { onlyChanged: true }).map(({ label, value }) => {
      const chip = element("li", "", { class: "filter-chip" });
      chip.append(element("span", text("filter_label", { label })), element("b", value));
      return chip;
    });
    const none = element("li", text("preview_all_rows"), { class: "filter-chip" });
    this.#root.querySelector("#preview-filters").replaceChildren(...(chips.length ? chips : [none]));
  }
}

/** What decides which rows come, and how their values look. */
const keyOf = ({ type, params, sort, timezone }) => JSON.stringify([type, params, sort, timezone]);

function rowsOf(count, more, total, exact) {
  if (!more) return counted("preview_whole", "count", count);
  if (total === null || total <= count) return text("preview_first_more", { count: number(count) });
  return text(exact ? "preview_first" : "preview_first_about", { count: number(count), rows: number(total) });
}

function cellOf(value, kind) {
  if (value === null) return element("td", text("preview_null"), { class: `${kind} null`.trim() });
  return element("td", value, kind ? { class: kind } : {});
}
