// One export in the list. Every value lands as text, never as markup.

import { downloadPath } from "./calls.js";
import { age, bytes, day, duration, moment, number, text, textOr } from "./texts.js";

export const isLive = (task) => task.status === "PENDING" || task.status === "PROCESSING";

const template = document.getElementById("task-template");

/** A new card; `act(action, task)` is called for its buttons. */
export function makeCard(task, act) {
  const card = template.content.firstElementChild.cloneNode(true);
  card.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    const action = button?.dataset.action;
    if (action === "details") toggleDetails(card, button);
    else if (action && (action !== "delete" || sure(button))) act(action, card.task, button);
  });
  fillCard(card, task);
  return card;
}

/** Bring a card up to date. It keeps focus, and what is open stays open. */
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
  fillDetails(slot("facts-list"), task);
  slot("download").hidden = task.status !== "SUCCESS";
  slot("download").href = downloadPath(task.id);
  const allowed = {
    cancel: isLive(task),
    retry: ["FAILED", "CANCELLED", "EXPIRED"].includes(task.status),
    delete: !isLive(task),
  };
  for (const [action, shown] of Object.entries(allowed)) {
    card.querySelector(`[data-action="${action}"]`).hidden = !shown;
  }
}

function shownStatus(task) {
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
  // Without a value the bar says "busy", which is all that is known then.
  if (total) Object.assign(bar, { max: total, value: done });
  else bar.removeAttribute("value");
  bar.setAttribute("aria-label", task.filename);
  const parts = [];
  if (total) parts.push(text("rows_progress", { done: number(done), total: number(total) }));
  else parts.push(done ? text("rows_so_far", { done: number(done) }) : text("preparing"));
  if (uploaded) parts.push(text("uploaded", { size: bytes(uploaded) }));
  if (eta !== null) parts.push(text("eta", { time: duration(eta) }));
  if (task.attempt > 1) parts.push(text("attempt", { attempt: task.attempt, max: task.max_attempts }));
  slot("progress-text").textContent = parts.join(" · ");
}

function fillProblem(slot, task) {
  const error = task.status === "SUCCESS" || task.status === "CANCELLED" ? null : task.last_error;
  slot("problem").hidden = !error;
  slot("problem-text").textContent = error?.message ?? "";
  slot("problem-code").textContent = error?.code ?? "";
}

function fillFacts(slot, task) {
  const proof = task.completeness;
  slot("facts").hidden = !proof;
  if (!proof) return;
  slot("complete").textContent = proof.rows_source === null
    ? text("complete_uncounted", { written: number(proof.rows_written) })
    : text("complete", { written: number(proof.rows_written), source: number(proof.rows_source) });
  slot("size").textContent = bytes(task.size_bytes);
  slot("kept").hidden = task.status !== "SUCCESS";
  slot("kept").textContent = text("deleted_on", { time: day(task.expires_at) });
}

function fillDetails(list, task) {
  const chosen = Object.entries(task.params).filter(([, value]) => value !== null);
  const facts = [[text("detail_params"), chosen.map(([name, value]) => `${name} = ${shown(value)}`)]];
  if (task.completeness) {
    facts.push([text("detail_snapshot"), [moment(task.completeness.snapshot_at)]]);
    facts.push([text("detail_digest"), [task.completeness.digest]]);
  }
  if (task.warnings.length) facts.push([text("detail_warnings"), task.warnings.map(warning)]);
  list.replaceChildren(...facts.flatMap(([name, lines]) => [
    element("dt", name), ...(lines.length ? lines : [text("none")]).map((line) => element("dd", line)),
  ]));
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function warning({ column, rule, count }) {
  return text("warning", { column, rule: String(rule).replaceAll("_", " "), count: number(count) });
}

function element(name, content) {
  const made = document.createElement(name);
  made.textContent = content;
  return made;
}

function toggleDetails(card, button) {
  const list = card.querySelector("dl");
  list.hidden = !list.hidden;
  button.setAttribute("aria-expanded", String(!list.hidden));
}

/** A delete button asks once, on itself, and forgets that it asked. */
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
