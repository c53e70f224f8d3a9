// What an export will be, said before it is started: rows, size, time, and a better format.

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
    const mine = (asking = new AbortController());
    const request = collect(form, () => {});
    if (!request) return void (panel.hidden = true);
    try {
      show(await estimate(request, mine.signal));
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
      // The form says what is wrong when it is sent; an estimate is only help.
      if (mine === asking) panel.hidden = true;
    }
  }

  function show(told) {
    panel.hidden = false;
    phrases(part("estimate-text"), partsOf(told));
    const better = told.better_format;
    part("estimate-better").hidden = !better;
    if (!better) return;
    part("estimate-better").querySelector("span").textContent = reasonOf(told);
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

function partsOf(told) {
  if (told.rows === 0) return [text("estimate_none")];
  if (told.rows === null) return [text("estimate_unknown")];
  const parts = [];
  const rows = told.rows_known_by === "exact" ? "estimate_rows" : "estimate_about_rows";
  parts.push(counted(rows, "rows", told.rows));
  if (told.sheets > 1) parts.push(text("estimate_sheets", { sheets: number(told.sheets) }));
  if (told.files > 1) parts.push(text("estimate_files", { files: number(told.files) }));
  if (told.bytes !== null) parts.push(text("estimate_size", { size: bytes(told.bytes) }));
  if (told.seconds !== null) parts.push(text("estimate_time", { time: duration(told.seconds) }));
  parts.push(whenItStarts(told));
  return parts;
}

function reasonOf({ better_format: better, rows, sheets, bytes: size }) {
  const holes = { rows: number(rows), sheets: number(sheets ?? 1), size: bytes(size) };
  // A reason of a newer server than this page is told in the server's words.
  const known = textOr(`better_${better.code}`, null);
  return known === null ? better.reason : text(`better_${better.code}`, holes);
}

function whenItStarts({ queue_position: ahead, starts_in_seconds: wait }) {
  if (!wait) return text("estimate_now");
  return text("estimate_queue", { position: number(ahead + 1), time: duration(wait) });
}
