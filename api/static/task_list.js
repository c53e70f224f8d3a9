// The list of exports: one page at a time, watched for as long as something on it is live.

import { listTasks } from "./calls.js";
import { fillCard, isLive, makeCard } from "./task_card.js";
import { number, text } from "./texts.js";

const PAGE_SIZE = 10;
// The waits between two looks; the last one repeats. The same the API asks of every client.
const WAITS_SECONDS = [2, 4, 8, 15];

const AGES_MS = 30_000;

export class TaskList {
  #parts;
  #hooks;
  #page = 1;
  #looks = 0;
  #timer = null;
  #turn = 0;
  #cards = new Map();

  /** `act` handles a card's buttons; `failed(error, waitSeconds)` and `worked()` tell how it goes. */
  constructor(root, { act, failed, worked }) {
    this.#parts = Object.fromEntries(
      ["tasks", "loading", "empty", "pager", "page-range"].map((id) => [id, root.querySelector(`#${id}`)]),
    );
    this.#hooks = { act, failed, worked };
    this.#parts.pager.addEventListener("click", (event) => {
      const step = Number(event.target.dataset.step ?? 0);
      if (step) this.show(this.#page + step);
    });
    // "2 minutes ago" is soon wrong when nothing else changes.
    setInterval(() => {
      for (const card of this.#cards.values()) fillCard(card, card.task);
    }, AGES_MS);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(this.#timer);
      else this.look();
    });
    for (const event of ["online", "offline"]) window.addEventListener(event, () => this.look());
  }

  show(page) {
    this.#page = page;
    return this.look();
  }

  /** Look now, and then at growing intervals. */
  look() {
    this.#looks = 0;
    return this.#refresh();
  }

  async #refresh() {
    clearTimeout(this.#timer);
    // An answer that was overtaken by a newer question is dropped.
    const turn = ++this.#turn;
    let again;
    try {
      const answer = await listTasks(this.#page, PAGE_SIZE);
      if (turn !== this.#turn) return;
      if (!answer.items.length && this.#page > 1) return void this.show(this.#page - 1);
      this.#hooks.worked();
      if (this.#render(answer)) this.#looks = 0;
      again = answer.items.some(isLive);
    } catch (error) {
      if (turn !== this.#turn) return;
      again = this.#hooks.failed(error, this.#wait());
    }
    if (again && !document.hidden) {
      this.#timer = setTimeout(() => this.#refresh(), this.#wait() * 1000);
      this.#looks += 1;
    }
  }

  #wait() {
    return WAITS_SECONDS[Math.min(this.#looks, WAITS_SECONDS.length - 1)];
  }

  /** Show an answer; true when a task has changed its state since the last one. */
  #render({ items, total, page, page_size: size }) {
    const parts = this.#parts;
    let changed = false;
    const cards = items.map((task) => {
      const card = this.#cards.get(task.id);
      changed ||= !card || card.task.status !== task.status;
      if (!card) return makeCard(task, this.#hooks.act);
      fillCard(card, task);
      return card;
    });
    this.#cards = new Map(cards.map((card) => [card.task.id, card]));
    // Moving a card would take the focus away from it.
    if (cards.length !== parts.tasks.children.length || cards.some((card, at) => parts.tasks.children[at] !== card)) {
      parts.tasks.replaceChildren(...cards);
    }
    parts.loading.hidden = true;
    parts.empty.hidden = total > 0;
    parts.pager.hidden = total <= size;
    const first = (page - 1) * size + 1;
    const last = first + items.length - 1;
    parts["page-range"].textContent = text("page_range", {
      first: number(first), last: number(last), total: number(total),
    });
    parts.pager.querySelector('[data-step="-1"]').disabled = page === 1;
    parts.pager.querySelector('[data-step="1"]').disabled = last >= total;
    return changed;
  }
}
