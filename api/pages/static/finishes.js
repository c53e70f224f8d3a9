// Announces the end of an export: on the page, in its title, and by a browser notification.

import { isLive } from "./task_card.js";
import { text } from "./texts.js";

const title = document.title;
// Exports that a person ends together: one message names them all.
const expected = new Set();
const KINDS = { SUCCESS: "good", FAILED: "problem" };

/** The ends of these exports are not announced one by one. */
export function expectEnds(tasks) {
  for (const task of tasks) expected.add(task.id);
}

export class Finishes {
  #tell;
  #ended;
  #states = new Map();
  #unseen = 0;

  /** `tell(message, options)` shows a line on the page; `ended()` is called after each end. */
  constructor(tell, ended) {
    this.#tell = tell;
    this.#ended = ended;
    for (const event of ["focus", "visibilitychange"]) {
      (event === "focus" ? window : document).addEventListener(event, () => {
        if (!isAway()) this.#count(0);
      });
    }
    this.#wirePermission(document.getElementById("tell-me"));
  }

  /** Record the state of a task; returns whether it has changed. */
  saw(task) {
    const before = this.#states.get(task.id);
    this.#states.set(task.id, task.status);
    if (before && isLive({ status: before }) && !isLive(task)) this.#tellEnd(task);
    return before !== task.status;
  }

  #tellEnd(task) {
    this.#ended();
    if (expected.delete(task.id)) return;
    const isEmpty = task.status === "SUCCESS" && task.rows === 0;
    const message = text(isEmpty ? "now_EMPTY" : `now_${task.status}`, { filename: task.filename });
    this.#tell(message, { kind: isEmpty ? "warn" : KINDS[task.status] ?? "", task });
    if (!isAway()) return;
    this.#count(this.#unseen + 1);
    if (window.Notification?.permission !== "granted") return;
    // The tag prevents two tabs from showing the same notification.
    const notice = new Notification(message, { tag: task.id, body: text("product") });
    notice.onclick = () => window.focus();
  }

  #count(unseen) {
    this.#unseen = unseen;
    document.title = unseen ? `(${unseen}) ${title}` : title;
  }

  /** Permission is requested on a click, and never before. */
  #wirePermission(button) {
    button.hidden = window.Notification?.permission !== "default";
    button.addEventListener("click", async () => {
      const answer = await Notification.requestPermission();
      button.hidden = answer !== "default";
      if (answer !== "default") this.#tell(text(answer === "granted" ? "tell_me_on" : "tell_me_denied"));
    });
  }
}

const isAway = () => document.hidden || !document.hasFocus();
