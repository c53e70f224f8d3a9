// The list of exports: the part selected by the address, with filters and pages.

import { isNarrowed, readView, writeView } from "./address.js";
import { listTasks } from "./calls.js";
import { fillCard, isLive, makeCard } from "./task_card.js";
import { number, text } from "./texts.js";

const PAGE_SIZE = 20;
// The last page number that the API accepts. Filters reach the rest.
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

  /** `act` handles the buttons of a card; `changed()` is called when another part must be shown. */
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
    // "2 minutes ago" must be updated even if nothing else changes.
    setInterval(() => {
      for (const card of this.#cards.values()) fillCard(card, card.task);
    }, AGES_MS);
  }

  get hasLive() {
    return [...this.#cards.values()].some((card) => isLive(card.task));
  }

  /** Show another part of the list, and add a history entry. */
  show(change, how) {
    this.#view = { ...this.#view, ...change };
    writeView(this.#view, how);
    this.#showFilters();
    this.#changed();
  }

  /** Load and show the list. Returns its tasks, or null if a newer request was made meanwhile. */
  async look() {
    const turn = ++this.#turn;
    const answer = await listTasks(this.#view, PAGE_SIZE);
    if (turn !== this.#turn) return null;
    if (!answer.items.length && this.#view.page > 1) {
      // The tasks on this page were deleted.
      this.#view.page = Math.max(1, Math.min(this.#view.page - 1, Math.ceil(answer.total / PAGE_SIZE)));
      writeView(this.#view, { replace: true });
      return this.look();
    }
    this.#render(answer);
    return answer.items;
  }

  /** Update one card; returns false if the list must be loaded again. */
  update(task) {
    const card = this.#cards.get(task.id);
    if (!card) return false;
    // An event may be older than a response that arrived meanwhile.
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
      // Typing adds one history entry, not one for each letter.
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
    // A card that is moved loses the focus.
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
