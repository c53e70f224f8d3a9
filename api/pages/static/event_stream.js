// What happens to my exports, as the server tells it: one stream for all tabs of a person.
//
// A browser keeps six connections to one server, and a stream holds one for as long as its
// tab is open. So one tab listens and tells the others.

import { EVENTS_PATH } from "./calls.js";

// A stream that the server has refused, for a restart or a proxy's sake, is asked for again.
const AGAIN_MS = 10_000;

export class EventStream {
  /** True while somebody listens for this tab, so that nobody has to look. */
  open = false;
  #hooks;
  #channel;

  /** `me` names the person: another one, logged in to another tab, has another stream. */
  constructor(me, { opened, closed, task, deleted, acted }) {
    this.#hooks = { opened, closed, task, deleted, acted };
    this.#channel = new BroadcastChannel(`waybill ${me}`);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    // Without locks (plain HTTP), each tab listens for itself.
    if (!navigator.locks) this.#listen(() => {});
    else {
      navigator.locks.request(`waybill ${me}`, () => {
        this.#listen((message) => this.#channel.postMessage(message));
        return new Promise(() => {});
      });
      this.#channel.postMessage({ kind: "who" });
    }
  }

  /** Tell the other tabs that something was done in this one. */
  tellOthers() {
    this.#channel.postMessage({ kind: "acted" });
  }

  #listen(tell) {
    const publish = (message) => {
      tell(message);
      this.#receive(message);
    };
    this.#answer = () => tell({ kind: this.open ? "open" : "closed" });
    const source = new EventSource(EVENTS_PATH);
    source.onopen = () => publish({ kind: "open" });
    source.onerror = () => {
      publish({ kind: "closed" });
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#listen(tell), AGAIN_MS);
    };
    for (const kind of ["task", "deleted"]) {
      source.addEventListener(kind, (event) => publish({ kind, body: JSON.parse(event.data) }));
    }
  }

  /** What the listening tab tells one that has just come. */
  #answer = () => {};

  #receive({ kind, body }) {
    if (kind === "who") return this.#answer();
    if (kind === "task" || kind === "deleted") return this.#hooks[kind](body);
    if (kind === "acted") return this.#hooks.acted();
    const open = kind === "open";
    if (open === this.open) return undefined;
    this.open = open;
    return this.#hooks[open ? "opened" : "closed"]();
  }
}
