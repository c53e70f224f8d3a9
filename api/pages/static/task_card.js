// The card of one export in the list. All values are inserted as text, never as markup.

import { downloadPath } from "./calls.js";
import { phrases } from "./elements.js";
import { fillDetails } from "./task_details.js";
import { age, bytes, counted, day, duration, moment, momentOrClock, number, text, textOr } from "./texts.js";

export const isLive = (task) => task.status === "PENDING" || task.status === "PROCESSING";

const template = document.getElementById("task-template");

/** A new card; `act(action, task, button, card)` is called for its buttons. */
export function makeCard(task, act) {
  const card = template.content.firstElementChild.cloneNode(true);
  card.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    const action = button?.dataset.action;
    if (action === "details") toggleDetails(card, button, act);
    else if (action && (action !== "delete" || sure(button))) act(action, card.task, button, card);
  });
  fillCard(card, task);
  return card;
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
  slot("created").title = moment(task.created_at);
  fillProgress(slot, task);
  fillProblem(slot, task);
  fillFacts(slot, task);
  fillNote(slot("note"), task);
  fillDetails(slot("facts-list"), task);
  fillActions(card, slot("download"), task);
}

function fillActions(card, download, task) {
  download.hidden = task.status !== "SUCCESS";
  download.href = downloadPath(task.id);
  const allowed = {
    copy: task.status === "SUCCESS",
    cancel: isLive(task),
    retry: ["FAILED", "CANCELLED", "EXPIRED"].includes(task.status),
    delete: !isLive(task),
  };
  for (const [action, shown] of Object.entries(allowed)) {
    card.querySelector(`[data-action="${action}"]`).hidden = !shown;
  }
  const retry = card.querySelector('[data-action="retry"]');
  retry.textContent = text(task.status === "FAILED" ? "retry" : "export_again");
  // The button stands out if a retry can help. It is available in any case.
  retry.classList.toggle("primary", task.status === "FAILED" && task.last_error.retry_helps);
}

function shownStatus(task) {
  if (task.waiting) return "WAITING";
  return task.status === "PENDING" && task.last_error ? "RETRYING" : task.status;
}

function datasetTitle(name) {
  const option = [...document.querySelectorAll("#dataset option")].find((item) => item.value === name);
  return option?.textContent ?? name;
}

function fillProgress(slot, task) {
  const { rows_done: done, rows_total: total, bytes_uploaded: uploaded, eta_seconds: eta } = task.progress;
  slot("progress").hidden = task.status !== "PROCESSING";
  const bar = slot("bar");
  // A bar without a value shows "busy": the total is not known.
  if (total) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
  bar.setAttribute("aria-label", task.filename);
  const parts = [];
  if (total) parts.push(text("rows_progress", { done: number(done), total: number(total) }));
  else parts.push(done ? text("rows_so_far", { done: number(done) }) : text("preparing"));
  if (uploaded) parts.push(text("uploaded", { size: bytes(uploaded) }));
  if (eta !== null) parts.push(text("eta", { time: duration(eta) }));
  if (task.attempt > 1) parts.push(text("attempt", { attempt: task.attempt, max: task.max_attempts }));
  phrases(slot("progress-text"), parts);
}

function fillProblem(slot, task) {
  const error = showsError(task) ? task.last_error : null;
  const { waiting } = task;
  slot("problem").hidden = !error && !waiting;
  slot("problem-code").textContent = error?.code ?? "";
  if (waiting) {
    const time = momentOrClock(waiting.since);
    slot("problem-text").textContent = text(`waiting_for_${waiting.component}`, { time });
    slot("problem-remedy").textContent = text("will_continue");
    return;
  }
  if (!error) return;
  slot("problem-text").textContent = error.cause;
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
  slot("complete").textContent = text(proof.rows_source === null ? "complete_uncounted" : "complete", {
    written: number(proof.rows_written),
    source: number(proof.rows_source),
    time: momentOrClock(proof.snapshot_at),
  });
  slot("size").textContent = bytes(task.size_bytes);
  slot("kept").textContent = text("deleted_on", { time: day(task.expires_at) });
  const changed = task.warnings.reduce((sum, { count }) => sum + count, 0);
  slot("changed").hidden = !changed;
  slot("changed").textContent = counted("changed_values", "count", changed);
}

function fillNote(note, task) {
  const said = task.status === "EXPIRED" && task.last_error
    ? ""
    : { EXPIRED: "expired_lead", CANCELLED: "cancelled_lead" }[task.status];
  note.hidden = !said;
  if (said) note.textContent = text(said, { time: day(task.expires_at ?? task.updated_at) });
}

function toggleDetails(card, button, act) {
  const more = card.querySelector('[data-slot="more"]');
  more.hidden = !more.hidden;
  button.setAttribute("aria-expanded", String(!more.hidden));
  if (!more.hidden) act("details", card.task, button, card);
}

/** Whether deletion is confirmed. The button asks once; the question goes away with the focus. */
function sure(button) {
  if (button.dataset.asked) return true;
  button.dataset.asked = "yes";
  button.textContent = text("delete_sure");
  button.addEventListener("blur", () => {
    delete button.dataset.asked;
    button.textContent = text("delete");
  }, { once: true });
  return false;
}
