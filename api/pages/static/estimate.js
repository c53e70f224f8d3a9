// The estimate of an export before it starts: rows, size, time, and a better format.

import { estimate, Refused, Unreachable } from "./calls.js";
import { phrases } from "./elements.js";
import { collect } from "./form_values.js";
import { bytes, counted, duration, number, text, textOr } from "./texts.js";

const TYPING_MS = 400;

export function wireEstimate(form) {
  const part = (id) => form.querySelector(`#${id}`);
  const panel = part("estimate");
  let timer = null;
  let asking = null;

  async function ask() {
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    const request = collect(form, () => {});
    if (!request) {
      panel.hidden = true;
      return;
    }
    try {
      show(await estimate(request, mine.signal));
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
      if (mine !== asking) return;
      // The estimate is only a hint. What is wrong with a value is said beside its field.
      panel.hidden = true;
      if (error.errors?.length) form.dispatchEvent(new CustomEvent("refused", { detail: error.errors }));
    }
  }

  function show(result) {
    panel.hidden = false;
    form.dispatchEvent(new CustomEvent("estimated", { detail: result }));
    phrases(part("estimate-text"), partsOf(result));
    const better = result.better_format;
    part("estimate-better").hidden = !better;
    if (!better) return;
    part("estimate-better").querySelector("span").textContent = reasonOf(result);
    const button = part("estimate-better").querySelector("button");
    button.textContent = text("choose_format", { format: textOr(`format_${better.format}`, better.format) });
    button.dataset.format = better.format;
  }

  part("estimate-better").querySelector("button").addEventListener("click", (event) => {
    form.elements.format.value = event.target.dataset.format;
    form.querySelector("[name=format]:checked").focus();
    ask();
  });
  for (const event of ["input", "change"]) {
    form.addEventListener(event, () => {
      clearTimeout(timer);
      timer = setTimeout(ask, TYPING_MS);
    });
  }
  ask();
}

function partsOf(result) {
  if (result.rows === 0) return [text("estimate_none")];
  if (result.rows === null) return [text("estimate_unknown")];
  const parts = [];
  const rows = result.rows_known_by === "exact" ? "estimate_rows" : "estimate_about_rows";
  parts.push(counted(rows, "rows", result.rows));
  if (result.sheets > 1) parts.push(text("estimate_sheets", { sheets: number(result.sheets) }));
  if (result.files > 1) parts.push(text("estimate_files", { files: number(result.files) }));
  if (result.bytes !== null) parts.push(text("estimate_size", { size: bytes(result.bytes) }));
  if (result.seconds !== null) parts.push(text("estimate_time", { time: duration(result.seconds) }));
  parts.push(whenItStarts(result));
  return parts;
}

function reasonOf({ better_format: better, rows, sheets, bytes: size }) {
  const holes = { rows: number(rows), sheets: number(sheets ?? 1), size: bytes(size) };
  // A newer server may send a reason that this page has no text for. Then its own text is shown.
  const known = textOr(`better_${better.code}`, null);
  return known === null ? better.reason : text(`better_${better.code}`, holes);
}

function whenItStarts({ queue_position: ahead, queue_workers: workers, starts_in_seconds: wait }) {
  if (workers === 0) return text("estimate_no_worker");
  if (!wait) return text("estimate_now");
  return text("estimate_queue", { position: number(ahead + 1), time: duration(wait) });
}
