// When to look at the list: at once when the server tells of a change, and where it cannot,
// again and again at growing intervals, until it is kinder to give up.

import { EventStream } from "./event_stream.js";

// The waits between two looks; the last one repeats. The same the API asks of every client.
const WAITS_SECONDS = [2, 4, 8, 15];
const LOOKS = 6;
// Events come in swarms when many tasks change.
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

  /** `failed(error, waitSeconds)` is true when trying again makes sense; `saw(task)` gets all. */
  constructor(list, { failed, worked, saw }) {
    this.#list = list;
    this.#hooks = { failed, worked, saw };
    this.#patience = document.getElementById("patience");
    this.#patience.querySelector("button").addEventListener("click", () => this.look());
    this.#stream = new EventStream(document.documentElement.dataset.me, {
      // What happened before it opened has been missed.
      opened: () => this.look(),
      closed: () => this.look(),
      acted: () => this.look(),
      task: (task) => this.#told(task),
      deleted: ({ id }) => this.#list.shows(id) && this.#lookSoon(),
    });
    for (const event of ["online", "offline"]) window.addEventListener(event, () => this.look());
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  /** Look now, and then at growing intervals, as long as nobody tells. */
  look() {
    this.#looks = 0;
    return this.#look();
  }

  /** Look, because something was done here; the other tabs do the same. */
  acted() {
    this.#stream.tellOthers();
    return this.look();
  }

  #told(task) {
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
    let again;
    try {
      const tasks = await this.#list.look();
      if (tasks === null || turn !== this.#turn) return;
      this.#hooks.worked();
      if (tasks.filter((task) => this.#hooks.saw(task)).length) this.#looks = 0;
      for (const task of tasks) this.#known.add(task.id);
      again = this.#list.hasLive && !this.#stream.open;
      if (again && this.#looks >= LOOKS) {
        this.#patience.hidden = false;
        return;
      }
    } catch (error) {
      if (turn !== this.#turn) return;
      again = this.#hooks.failed(error, this.#wait());
    }
    if (!again) return;
    this.#timer = setTimeout(() => this.#look(), this.#wait() * 1000);
    this.#looks += 1;
  }

  #wait() {
    return WAITS_SECONDS[Math.min(this.#looks, WAITS_SECONDS.length - 1)];
  }
}
