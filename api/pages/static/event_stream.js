// The event stream of the user's exports: one connection for all tabs.
//
// A browser opens at most six connections to a server, and a stream occupies one as long as its tab
// is open. So one tab listens and forwards events to the others.

import { EVENTS_PATH } from "./calls.js";

// When to reconnect after the server or a proxy refused the stream, for example during a restart.
const AGAIN_MS = 10_000;

export class EventStream {
  /** True while events reach this tab, so that it need not poll. */
  open = false;
  #hooks;
  #channel;

  /** `me` identifies the user. Another user who is logged in in another tab has another stream. */
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

  /** Notify the other tabs of an action in this one. */
  notifyOthers() {
    this.#channel.postMessage({ kind: "acted" });
  }

  #listen(send) {
    const publish = (message) => {
      send(message);
      this.#receive(message);
    };
    this.#answer = () => send({ kind: this.open ? "open" : "closed" });
    const source = new EventSource(EVENTS_PATH);
    source.onopen = () => publish({ kind: "open" });
    source.onerror = () => {
      publish({ kind: "closed" });
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#listen(send), AGAIN_MS);
    };
    for (const kind of ["task", "deleted"]) {
      source.addEventListener(kind, (event) => publish({ kind, body: JSON.parse(event.data) }));
    }
  }

  /** The answer of the listening tab to a tab that has just opened. */
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
