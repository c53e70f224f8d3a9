// The message line at the top of the page.

import { Refused, Unreachable } from "./calls.js";
import { duration, text, textOr } from "./texts.js";

const notice = document.getElementById("notice");
const SHOWN_MS = 8_000;
let timer = null;

notice.querySelector("[data-close]").addEventListener("click", () => { notice.hidden = true; });

export function tell(message, { kind = "", lasting = false, signIn = false } = {}) {
  clearTimeout(timer);
  notice.dataset.kind = kind;
  notice.querySelector("a").hidden = !signIn;
  notice.hidden = false;
  // Screen readers announce changes in a region that is already visible.
  notice.querySelector("span").textContent = message;
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
