// The list of exports: the part of it that the address asks for, with filters and pages.

import { isNarrowed, readView, writeView } from "./address.js";
import { listTasks } from "./calls.js";
import { fillCard, isLive, makeCard } from "./task_card.js";
import { number, text } from "./texts.js";

const PAGE_SIZE = 20;
// The API counts pages to here; whoever has more narrows the list.
const LAST_PAGE = 1000;
const TYPING_MS = 300;
const AGES_MS = 30_000;

export class TaskList {
  #parts;
  #act;
  #changed;
  #view = readView();
  #turn = 0;
  #cards = new Map();

  /** `act` handles a card's buttons; `changed()` is called when another part is to be shown. */
  constructor(root, { act, changed }) {
    this.#parts = Object.fromEntries(
      ["tasks", "loading", "empty", "no-match", "clear-filters", "filters", "pager", "page-range"]
        .map((id) => [id, root.querySelector(`#${id}`)]),
    );
    this.#act = act;
    this.#changed = changed;
    this.#wireFilters();
    this.#parts.pager.addEventListener("click", (event) => {
      const step = Number(event.target.dataset.step ?? 0);
      if (!step) return;
      this.show({ page: this.#view.page + step });
      root.querySelector("#list-title").scrollIntoView({ block: "nearest" });
    });
    window.addEventListener("popstate", () => {
      this.#view = readView();
      this.#showFilters();
      this.#changed();
    });
    // "2 minutes ago" is soon wrong when nothing else changes.
    setInterval(() => {
      for (const card of this.#cards.values()) fillCard(card, card.task);
    }, AGES_MS);
  }

  get hasLive() {
    return [...this.#cards.values()].some((card) => isLive(card.task));
  }

  /** Show another part of the list, and leave a step in the history. */
  show(change, how) {
    this.#view = { ...this.#view, ...change };
    writeView(this.#view, how);
    this.#showFilters();
    this.#changed();
  }

  /** Ask the API, and show what it says; its tasks, or null when a newer question was asked. */
  async look() {
    const turn = ++this.#turn;
    const answer = await listTasks(this.#view, PAGE_SIZE);
    if (turn !== this.#turn) return null;
    if (!answer.items.length && this.#view.page > 1) {
      // What was on this page is gone.
      this.#view.page = Math.max(1, Math.min(this.#view.page - 1, Math.ceil(answer.total / PAGE_SIZE)));
      writeView(this.#view, { replace: true });
      return this.look();
    }
    this.#render(answer);
    return answer.items;
  }

  /** Bring one card up to date; false when the list itself has to be asked for again. */
  update(task) {
    const card = this.#cards.get(task.id);
    if (!card) return false;
    // An event may be older than the answer that came meanwhile.
    if (task.updated_at < card.task.updated_at) return true;
    const moved = card.task.status !== task.status;
    fillCard(card, task);
    return !(moved && this.#view.status);
  }

  shows(id) {
    return this.#cards.has(id);
  }

  #wireFilters() {
    const { filters, "clear-filters": clear } = this.#parts;
    this.#showFilters();
    filters.addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["status", "type"]) {
      filters.elements[name].addEventListener("change", (event) => {
        this.show({ [name]: event.target.value, page: 1 });
      });
    }
    let typing = null;
    filters.elements.q.addEventListener("input", (event) => {
      clearTimeout(typing);
      // While somebody types, the history gets one step and not one for each letter.
      const how = { replace: Boolean(this.#view.q) };
      typing = setTimeout(() => this.show({ q: event.target.value.trim(), page: 1 }, how), TYPING_MS);
    });
    clear.addEventListener("click", () => {
      this.show({ q: "", status: "", type: "", page: 1 });
      filters.elements.q.focus();
    });
  }

  #showFilters() {
    const { elements } = this.#parts.filters;
    for (const name of ["q", "status", "type"]) {
      if (elements[name] !== document.activeElement || name !== "q") elements[name].value = this.#view[name];
    }
  }

  #render({ items, total, page, page_size: size }) {
    const parts = this.#parts;
    const cards = items.map((task) => {
      const card = this.#cards.get(task.id);
      if (!card) return makeCard(task, this.#act);
      fillCard(card, task);
      return card;
    });
    this.#cards = new Map(cards.map((card) => [card.task.id, card]));
    // Moving a card would take the focus away from it.
    if (cards.length !== parts.tasks.children.length || cards.some((card, at) => parts.tasks.children[at] !== card)) {
      parts.tasks.replaceChildren(...cards);
    }
    parts.loading.hidden = true;
    parts.empty.hidden = total > 0 || isNarrowed(this.#view);
    parts["no-match"].hidden = total > 0 || !isNarrowed(this.#view);
    parts.filters.hidden = total === 0 && !isNarrowed(this.#view);
    parts.pager.hidden = total <= size;
    const first = (page - 1) * size + 1;
    const last = first + items.length - 1;
    parts["page-range"].textContent = text("page_range", {
      first: number(first), last: number(last), total: number(total),
    });
    parts.pager.querySelector('[data-step="-1"]').disabled = page === 1;
    parts.pager.querySelector('[data-step="1"]').disabled = last >= total || page >= LAST_PAGE;
  }
}
