// The row of one export in the list. All values are inserted as text, never as markup.

import { downloadPath } from "./calls.js";
import { datasetTitle, filtersOf } from "./dataset_texts.js";
import { element, fillWithTime, phrases } from "./elements.js";
import { isSure } from "./selection.js";
import { fillDetails } from "./task_details.js";
import { age, bytes, counted, day, duration, exact, momentOrClock, number, text, textOr } from "./texts.js";
import { secondsLeft } from "./time_left.js";

export const isLive = (task) => task.status === "PENDING" || task.status === "PROCESSING";

const MOST_CHIPS = 5;

const template = document.getElementById("task-template");

/** A new row; `act(action, task, button, card)` is called for its buttons and its box. */
export function makeCard(task, act) {
  const card = template.content.firstElementChild.cloneNode(true);
  nameButtons(card, task.id);
  card.querySelector('[data-slot="pick"]').addEventListener("change", (event) => act("pick", card.task, event.target, card));
  card.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    const action = button?.dataset.action;
    if (action === "details") toggleDetails(card, button, act);
    else if (action === "files") openDetails(card);
    else if (action && (action !== "delete" || isSure(button))) act(action, card.task, button, card);
  });
  card.querySelector(".share-mail")?.addEventListener("submit", (event) => {
    event.preventDefault();
    act("send", card.task, event.submitter, card);
  });
  fillCard(card, task);
  return card;
}

/** The name of each button says which export it is for: "Download orders.xlsx". */
function nameButtons(card, id) {
  const name = card.querySelector('[data-slot="filename"]');
  name.id = `name-${id}`;
  for (const [at, button] of card.querySelectorAll("button, a").entries()) {
    button.id ||= `button-${id}-${at}`;
    button.setAttribute("aria-labelledby", `${button.id} ${name.id}`);
  }
  card.querySelector('[data-slot="pick"]').setAttribute("aria-labelledby", `select-label ${name.id}`);
}

/** Open the details of a row, if they are closed. */
export function openDetails(card) {
  if (card.querySelector('[data-slot="more"]').hidden) card.querySelector('[data-action="details"]').click();
}

/** Say where a waiting export stands; `place` may be undefined. */
export function fillPlace(card, place) {
  const slot = card.querySelector('[data-slot="place"]');
  const waits = card.dataset.status === "PENDING" && place !== undefined;
  slot.hidden = !waits;
  if (!waits) return;
  const { position, starts_in_seconds: wait, paused } = place;
  if (paused) {
    slot.textContent = text("place_paused");
    return;
  }
  slot.textContent = wait
    ? text("place", { position: number(position), time: duration(wait) })
    : text(position === 1 ? "place_next" : "place_soon", { position: number(position) });
}

/** Update a card. It keeps the focus, and open details stay open. */
export function fillCard(card, task) {
  card.task = task;
  card.dataset.id = task.id;
  card.dataset.status = shownStatus(task);
  const slot = (name) => card.querySelector(`[data-slot="${name}"]`);
  slot("filename").textContent = task.filename;
  slot("status").textContent = text(`status_${card.dataset.status}`);
  slot("what").textContent = `${datasetTitle(task.type)} · ${textOr(`format_${task.format}`, task.format)}`;
  slot("created").textContent = age(task.created_at);
  slot("created").dateTime = task.created_at;
  slot("created").title = exact(task.created_at);
  if (card.dataset.status !== "PENDING") slot("place").hidden = true;
  fillFilters(slot("filters"), task);
  fillProgress(slot, task);
  fillProblem(slot, task);
  fillFacts(slot, task);
  fillNote(slot("note"), task);
  fillDetails(slot("facts-list"), task);
  fillActions(card, slot("download"), task);
}

/** What differs from the defaults of the form: it tells the exports of one dataset apart. */
function fillFilters(list, task) {
  const filters = filtersOf(task, { onlyChanged: true });
  const key = JSON.stringify(filters);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.hidden = !filters.length;
  const chips = filters.slice(0, MOST_CHIPS).map(({ label, value }) => {
    const chip = element("li", "", { class: "filter-chip" });
    chip.append(element("span", text("filter_label", { label })), element("b", value));
    return chip;
  });
  if (filters.length > MOST_CHIPS) {
    chips.push(element("li", text("more_filters", { count: number(filters.length - MOST_CHIPS) }), { class: "filter-chip" }));
  }
  list.replaceChildren(...chips);
}

function fillActions(card, download, task) {
  // A set is downloaded file by file.
  download.hidden = task.status !== "SUCCESS" || Boolean(task.files);
  download.href = downloadPath(task.id);
  const ended = !isLive(task);
  const allowed = {
    cancel: !ended,
    files: Boolean(task.files) && task.status !== "EXPIRED",
    retry: task.status === "FAILED",
    again: ended && task.status !== "FAILED",
    change: document.getElementById("new-export") !== null,
    delete: ended,
  };
  for (const [action, shown] of Object.entries(allowed)) {
    card.querySelector(`[data-action="${action}"]`).hidden = !shown;
  }
  // The button stands out if a retry can help. It is available in any case.
  const helps = task.status === "FAILED" && task.last_error.retry_helps;
  card.querySelector('[data-action="retry"]').classList.toggle("accent", helps);
  // Of a file without a row the filters are wrong, more likely than not.
  download.classList.toggle("accent", card.dataset.status !== "EMPTY");
}

function shownStatus(task) {
  if (task.waiting) return task.waiting.component === "approval" ? "APPROVAL" : "WAITING";
  if (task.status === "SUCCESS" && task.rows === 0) return "EMPTY";
  return task.status === "PENDING" && task.last_error ? "RETRYING" : task.status;
}

/** Update what changes by itself: ages, and the time left. */
export function fillTimes(card) {
  const slot = (name) => card.querySelector(`[data-slot="${name}"]`);
  slot("created").textContent = age(card.task.created_at);
  if (card.task.status === "PROCESSING") fillProgress(slot, card.task);
}

function fillProgress(slot, task) {
  const { rows_done: done, rows_total: known, bytes_uploaded: uploaded } = task.progress;
  // Before the rows are counted the estimate tells how many there are about.
  const total = known ?? task.predicted?.rows ?? null;
  const left = secondsLeft(task);
  slot("progress").hidden = task.status !== "PROCESSING";
  const bar = slot("bar");
  // A bar without a value shows "busy": the total is not known.
  if (total) Object.assign(bar, { max: total, value: Math.min(done, total) });
  else bar.removeAttribute("value");
  bar.setAttribute("aria-label", task.filename);
  const parts = [];
  const progress = known === null ? "rows_progress_about" : "rows_progress";
  if (total) parts.push(text(progress, { done: number(done), total: number(total) }));
  else parts.push(done ? text("rows_so_far", { done: number(done) }) : text("preparing"));
  if (uploaded) parts.push(text("uploaded", { size: bytes(uploaded) }));
  if (task.files) parts.push(text("files_ready", { ready: task.files.ready, count: task.files.count }));
  else if (task.shards) parts.push(text("shards", { done: task.shards.done, count: task.shards.count }));
  if (task.paused_since) parts.push(text("paused"));
  if (left !== null) parts.push(text("eta", { time: duration(left) }));
  if (task.attempt > 1) parts.push(text("attempt", { attempt: task.attempt, max: task.max_attempts }));
  phrases(slot("progress-text"), parts);
}

function fillProblem(slot, task) {
  const error = showsError(task) ? task.last_error : null;
  const { waiting } = task;
  slot("problem").hidden = !error && !waiting;
  slot("problem-code").textContent = error?.code ?? "";
  if (waiting) {
    fillWithTime(slot("problem-text"), `waiting_for_${waiting.component}`, waiting.since, momentOrClock(waiting.since));
    if (waiting.component === "approval") fillWithTime(slot("problem-remedy"), "approval_until", task.approval.until, momentOrClock(task.approval.until));
    else slot("problem-remedy").textContent = text("will_continue");
    return;
  }
  if (!error) return;
  const note = task.approval?.note && error.code === "approval_declined" ? text("approval_note", { note: task.approval.note }) : "";
  slot("problem-text").textContent = `${error.cause} ${note}`.trim();
  const remedy = isLive(task) ? text("will_retry") : error.remedy;
  const futile = isLive(task) || error.retry_helps ? "" : text("retry_is_futile");
  slot("problem-remedy").textContent = `${remedy} ${futile}`.trim();
}

/** Of an expired task only a file that is gone before its time is an error. */
function showsError(task) {
  return ["PENDING", "PROCESSING", "FAILED", "EXPIRED"].includes(task.status);
}

function fillFacts(slot, task) {
  const proof = task.completeness;
  const shown = proof && task.status === "SUCCESS";
  slot("facts").hidden = !shown;
  if (!shown) return;
  const said = proof.rows_written === 0
    ? "complete_empty"
    : proof.rows_source === null ? "complete_uncounted" : "complete";
  fillWithTime(slot("complete"), said, proof.snapshot_at, momentOrClock(proof.snapshot_at), {
    written: number(proof.rows_written),
    source: number(proof.rows_source),
  });
  slot("size").textContent = bytes(task.size_bytes);
  fillWithTime(slot("kept"), "deleted_on", task.expires_at, day(task.expires_at));
  const changed = task.warnings.reduce((sum, { count }) => sum + count, 0);
  slot("changed").hidden = !changed;
  slot("changed").textContent = counted("changed_values", "count", changed);
}

function fillNote(note, task) {
  const said = task.status === "EXPIRED" && task.last_error
    ? ""
    : { EXPIRED: "expired_lead", CANCELLED: "cancelled_lead" }[task.status];
  note.hidden = !said;
  const at = task.expires_at ?? task.updated_at;
  if (said) fillWithTime(note, said, at, day(at));
}

function toggleDetails(card, button, act) {
  const more = card.querySelector('[data-slot="more"]');
  more.hidden = !more.hidden;
  button.setAttribute("aria-expanded", String(!more.hidden));
  if (!more.hidden) act("details", card.task, button, card);
}
