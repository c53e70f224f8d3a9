// Where waiting exports stand in their queues. Asked for while there are any on the page.

import { listPlaces, Refused, Unreachable } from "./calls.js";

const EVERY_MS = 10_000;

export class QueuePlaces {
  #waits;
  #got;
  #timer = null;

  /** `waits()` says whether a card waits; `got(places)` gets a map from the id of a task. */
  constructor(waits, got) {
    this.#waits = waits;
    this.#got = got;
  }

  /** Ask now, and again until nothing waits. */
  async look() {
    clearTimeout(this.#timer);
    if (!this.#waits()) return;
    try {
      const { items } = await listPlaces();
      this.#got(new Map(items.map((item) => [item.task_id, item])));
    } catch (error) {
      // The list tells what is wrong.
      if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => document.hidden || this.look(), EVERY_MS);
  }
}
