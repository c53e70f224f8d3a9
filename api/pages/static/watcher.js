// When to reload the list: at once after an event of the server. Without events, at growing
// intervals, and after a few attempts once a minute or on request.

import { EventStream } from "./event_stream.js";

// Seconds between two polls; the last one repeats. The API requests the same of every client.
const WAITS_SECONDS = [2, 4, 8, 15];
const LOOKS = 6;
// After that, and while nothing runs: an export may have been started elsewhere.
const IDLE_SECONDS = 60;
// Many tasks may change at once; their events cause one reload.
const GATHER_MS = 250;

export class Watcher {
  #list;
  #hooks;
  #stream;
  #patience;
  #timer = null;
  #gathering = null;
  #looks = 0;
  #turn = 0;
  #known = new Set();

  /** `failed(error, waitSeconds)` returns whether to retry; `saw(task)` gets every task read. */
  constructor(list, { failed, worked, saw }) {
    this.#list = list;
    this.#hooks = { failed, worked, saw };
    this.#patience = document.getElementById("patience");
    this.#patience.querySelector("button").addEventListener("click", () => this.look());
    this.#stream = new EventStream(document.documentElement.dataset.me, {
      // Changes before the stream opened were missed.
      opened: () => this.look(),
      closed: () => this.look(),
      acted: () => this.look(),
      task: (task) => this.#changed(task),
      deleted: ({ id }) => this.#list.shows(id) && this.#lookSoon(),
    });
    for (const event of ["online", "offline"]) window.addEventListener(event, () => this.look());
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  /** Reload now, and then at growing intervals while there are no events. */
  look() {
    this.#looks = 0;
    return this.#look();
  }

  /** Reload after an action of the user, in the other tabs as well. */
  acted() {
    this.#stream.notifyOthers();
    return this.look();
  }

  #changed(task) {
    this.#hooks.saw(task);
    const isNew = !this.#known.has(task.id);
    this.#known.add(task.id);
    if (!this.#list.update(task) && (isNew || this.#list.shows(task.id))) this.#lookSoon();
  }

  #lookSoon() {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.look();
    }, GATHER_MS);
  }

  async #look() {
    clearTimeout(this.#timer);
    this.#patience.hidden = true;
    const turn = ++this.#turn;
    let seconds;
    try {
      const tasks = await this.#list.look();
      if (tasks === null || turn !== this.#turn) return;
      this.#hooks.worked();
      if (tasks.filter((task) => this.#hooks.saw(task)).length) this.#looks = 0;
      for (const task of tasks) this.#known.add(task.id);
      if (this.#stream.open) return;
      const { hasLive } = this.#list;
      const done = this.#looks >= LOOKS;
      this.#patience.hidden = !(hasLive && done);
      seconds = hasLive && !done ? this.#wait() : IDLE_SECONDS;
    } catch (error) {
      if (turn !== this.#turn) return;
      seconds = this.#wait();
      if (!this.#hooks.failed(error, seconds)) return;
    }
    this.#timer = setTimeout(() => this.#look(), seconds * 1000);
    this.#looks += 1;
  }

  #wait() {
    return WAITS_SECONDS[Math.min(this.#looks, WAITS_SECONDS.length - 1)];
  }
}
