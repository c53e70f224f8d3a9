// The message in the bar of the page, or at the foot of a phone's: it covers nothing.

import { BASE, Refused, Unreachable } from "./calls.js";
import { duration, text, textOr } from "./texts.js";

const notice = document.getElementById("notice");
const SHOWN_MS = 8_000;
let timer = null;

const show = notice.querySelector("[data-show]");
const signInAgain = notice.querySelector("[data-sign-in]");

/** `show(id)` is called for the link to an export. */
export function wireNotice(showTask) {
  show.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    notice.hidden = true;
    showTask(show.dataset.task);
  });
}

notice.querySelector("[data-close]").addEventListener("click", () => { notice.hidden = true; });

export function tell(message, { kind = "", lasting = false, signIn = false, task = null } = {}) {
  clearTimeout(timer);
  notice.dataset.kind = kind;
  signInAgain.hidden = !signIn;
  show.hidden = !task;
  if (task) {
    show.dataset.task = task.id;
    show.href = `${BASE}/?task=${task.id}`;
    show.setAttribute("aria-label", `${text("show")}: ${task.filename}`);
  }
  notice.hidden = false;
  // Screen readers announce changes in a region that is already visible.
  notice.querySelector("span").textContent = message;
  notice.title = message;
  if (!lasting) timer = setTimeout(() => { notice.hidden = true; }, SHOWN_MS);
}

/** Why a request was refused, in the language of the page where it is about load, and until when. */
export function refusal(error) {
  const cause = textOr(`problem_${error.code}`, error.message);
  const detail = error.retryAfter ? text("again_in", { cause, time: duration(error.retryAfter) }) : cause;
  return text("failed_request", { detail, code: error.code });
}

/** Show an error; returns whether to retry automatically. */
export function tellFailure(error, waitSeconds = null) {
  if (error instanceof Refused && error.status === 401) {
    tell(text("session_over"), { kind: "problem", lasting: true, signIn: true });
    return false;
  }
  if (error instanceof Refused) {
    tell(refusal(error), { kind: "problem" });
    return error.status >= 500 || error.status === 429;
  }
  if (!(error instanceof Unreachable)) throw error;
  const message = waitSeconds === null ? text("offline_waiting") : text("offline", { seconds: waitSeconds });
  tell(message, { kind: "offline", lasting: true });
  return true;
}

/** Hide the message about the lost connection. */
export function forgetOffline() {
  if (notice.dataset.kind === "offline") notice.hidden = true;
}
