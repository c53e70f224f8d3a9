// The list of exports: the part selected by the address, with filters and pages.

import { isNarrowed, readView, WHOLE, writeView } from "./address.js";
import { getTask, listTasks, Refused } from "./calls.js";
import { QueuePlaces } from "./queue_places.js";
import { Selection } from "./selection.js";
import { fillCard, fillPlace, fillTimes, isLive, makeCard, openDetails } from "./task_card.js";
import { number, text } from "./texts.js";

const PAGE_SIZE = 20;
// The last page number that the API accepts. Filters reach the rest.
const LAST_PAGE = 1000;
const TYPING_MS = 300;
// The time left counts down; ages change more slowly.
const TICK_MS = 1_000;
const CHOICES = ["status", "type", "period", "sort"];

export class TaskList {
  #parts;
  #act;
  #changed;
  #view = readView();
  #turn = 0;
  #cards = new Map();
  #places;
  #selection;

  /** `act` handles the buttons of a card; `changed()` is called when another part must be shown. */
  constructor(root, { act, changed }) {
    this.#parts = Object.fromEntries(
      ["tasks", "loading", "empty", "no-match", "clear-filters", "filters", "pager", "page-range", "one-task"]
        .map((id) => [id, root.querySelector(`#${id}`)]),
    );
    this.#act = (action, ...rest) => (action === "pick" ? this.#selection.draw() : act(action, ...rest));
    this.#changed = changed;
    const cards = () => [...this.#cards.values()];
    this.#selection = new Selection(root.querySelector("#selection"), { cards, done: changed });
    this.#places = new QueuePlaces(
      () => cards().some((card) => card.dataset.status === "PENDING"),
      (places) => { for (const card of cards()) fillPlace(card, places.get(card.task.id)); },
    );
    this.#wireFilters();
    this.#parts["one-task"].querySelector("button").addEventListener("click", () => this.show(WHOLE));
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
      if (!document.hidden) for (const card of this.#cards.values()) fillTimes(card);
    }, TICK_MS);
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
    const answer = this.#view.task ? await only(this.#view.task) : await listTasks(this.#view, PAGE_SIZE);
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
    if (moved) this.#selection.draw();
    return !(moved && (this.#view.status || this.#view.sort === "status"));
  }

  shows(id) {
    return this.#cards.has(id);
  }

  #wireFilters() {
    const { filters, "clear-filters": clear } = this.#parts;
    this.#showFilters();
    filters.addEventListener("submit", (event) => event.preventDefault());
    for (const name of CHOICES) {
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
      this.show(WHOLE);
      filters.elements.q.focus();
    });
  }

  #showFilters() {
    const { elements } = this.#parts.filters;
    for (const name of ["q", ...CHOICES]) {
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
    const one = Boolean(this.#view.task);
    parts.tasks.hidden = !items.length;
    parts["one-task"].hidden = !one;
    parts.empty.hidden = total > 0 || one || isNarrowed(this.#view);
    parts["no-match"].hidden = total > 0 || !(one || isNarrowed(this.#view));
    parts.filters.hidden = one || (total === 0 && !isNarrowed(this.#view));
    this.#selection.draw();
    this.#places.look();
    if (one) for (const card of cards) openDetails(card);
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

/** The page of one export alone. */
async function only(id) {
  try {
    return { items: [await getTask(id)], total: 1, page: 1, page_size: PAGE_SIZE };
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 401 || error.status >= 500) throw error;
    return { items: [], total: 0, page: 1, page_size: PAGE_SIZE };
  }
}
