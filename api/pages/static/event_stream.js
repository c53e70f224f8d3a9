// The event stream of the user's exports: one connection for all tabs.
//
// A browser opens at most six connections to a server, and a stream occupies one as long as its tab
// is open. So one tab, the leader, listens and forwards events to the others, which elect it over a
// channel. Web Locks would not do: they exist over HTTPS only, and a sleeping tab keeps its lock.

import { BASE, EVENTS_PATH } from "./calls.js";

// The time between two heartbeats, until the first one states it.
const INTERVAL_MS = 15_000;
// Nothing heard for a little more than two heartbeats: the stream is held back or dead.
const SILENT_INTERVALS = 2.2;
// A leader that is awake answers within this time: on loading a page, and when it was known before.
const LOADED_MS = 300;
const PROBED_MS = 1_000;
// When to reconnect after the server or a proxy refused the stream, for example during a restart.
const AGAIN_MS = 10_000;

export class EventStream {
  /** True while events reach this tab, so that it need not poll. */
  open = false;
  #hooks;
  #channel;
  #me = Math.random();
  /** Increases with each election, so that a tab that has slept recognises its successor. */
  #term = 0;
  #leader = null;
  /** The connection, if this tab is the leader. */
  #source = null;
  #interval = INTERVAL_MS;
  #election = null;
  #silence = null;

  /** `me` identifies the user. Another user who is logged in in another tab has another stream. */
  constructor(me, { opened, closed, task, deleted, acted }) {
    this.#hooks = { opened, closed, task, deleted, acted };
    this.#channel = new BroadcastChannel(`waybill events ${BASE} ${me}`);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    for (const event of ["pagehide", "freeze"]) this.#on(event, () => this.#leave());
    // The server ends the streams of a session with it. Reconnecting before the next page would fail.
    for (const end of document.querySelectorAll('form[action*="/session/end"]')) {
      end.addEventListener("submit", () => this.#leave());
    }
    for (const event of ["pageshow", "resume"]) this.#on(event, () => this.#elect(LOADED_MS));
    document.addEventListener("visibilitychange", () => document.hidden || this.#elect(PROBED_MS));
    this.#elect(LOADED_MS);
  }

  /** Notify the other tabs of an action in this one, which waits for its outcome. */
  notifyOthers() {
    this.#channel.postMessage({ kind: "acted" });
    this.#elect(PROBED_MS);
  }

  #on(event, listener) {
    // "freeze" and "resume" are events of the document, and do not bubble.
    (event.startsWith("page") ? window : document).addEventListener(event, listener);
  }

  /** Lead, unless a leader answers. With many tabs at once, the first one to act is the leader. */
  #elect(answerMs) {
    if (this.#source || this.#election) return;
    this.#channel.postMessage({ kind: "who" });
    this.#election = setTimeout(() => this.#lead(), answerMs * (1 + Math.random()));
  }

  #endElection() {
    clearTimeout(this.#election);
    this.#election = null;
  }

  #lead() {
    this.#endElection();
    this.#term += 1;
    this.#leader = this.#me;
    this.#connect();
  }

  #connect() {
    this.#source?.close();
    const source = new EventSource(EVENTS_PATH);
    this.#source = source;
    this.#publish({ kind: "state", open: false });
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#publish({ kind: "state", open: false });
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => source === this.#source && this.#connect(), AGAIN_MS);
    };
    // Not `onopen`: a proxy may pass on the headers and hold back the events.
    for (const kind of ["heartbeat", "reset", "task", "deleted"]) {
      source.addEventListener(kind, ({ data }) => {
        if (source === this.#source) this.#publish({ kind, open: true, body: JSON.parse(data) });
      });
    }
  }

  #leave() {
    this.#endElection();
    clearTimeout(this.#silence);
    if (!this.#source) return;
    this.#channel.postMessage({ kind: "left", id: this.#me });
    this.#yield();
  }

  #yield() {
    this.#source.close();
    this.#source = null;
  }

  /** Tell all tabs, this one included. */
  #publish(message) {
    this.#channel.postMessage({ ...message, id: this.#me, term: this.#term });
    this.#hear(message);
  }

  #receive(message) {
    const { kind, id, term } = message;
    if (kind === "acted") this.#hooks.acted();
    else if (kind === "who") this.#answer();
    else if (kind === "left") {
      if (id === this.#leader) this.#elect(LOADED_MS);
    } else if (term < this.#term || (this.#source && term === this.#term && id > this.#me)) {
      // A tab that has slept, or the loser of two that were elected at once. It steps down now.
      this.#answer();
    } else {
      if (this.#source) this.#yield();
      this.#endElection();
      this.#leader = id;
      this.#term = term;
      this.#hear(message);
    }
  }

  #answer() {
    if (!this.#source) return;
    this.#channel.postMessage({ kind: "state", open: this.open, id: this.#me, term: this.#term });
  }

  #hear({ kind, open, body }) {
    if (kind === "heartbeat") this.#interval = body.interval_seconds * 1000;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#miss(), this.#interval * SILENT_INTERVALS);
    if (open !== this.open) {
      this.open = open;
      this.#hooks[open ? "opened" : "closed"]();
    }
    if (kind === "task" || kind === "deleted") this.#hooks[kind](body);
  }

  /** Nothing was heard: poll, and look for another connection or another leader. */
  #miss() {
    if (this.#source) this.#connect();
    else {
      this.#hear({ kind: "state", open: false });
      this.#elect(PROBED_MS);
    }
  }
}
