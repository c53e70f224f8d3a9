// Exports of others that wait for the reader's approval: shown, and answered.

import { answerApproval, listApprovals, Refused, Unreachable } from "./calls.js";
import { datasetTitle, filtersOf } from "./dataset_texts.js";
import { element } from "./elements.js";
import { tell, tellFailure } from "./notice.js";
import { age, day, number, text, textOr } from "./texts.js";

const EVERY_MS = 20_000;

const section = document.getElementById("approvals");
const heading = document.getElementById("approvals-title");
const list = document.getElementById("approvals-list");
const known = new Map();
let seen = null;
let timer = null;

/** Show what waits, now and whenever it has changed. */
export function wireApprovals() {
  document.addEventListener("visibilitychange", () => document.hidden || look());
  return look();
}

async function look() {
  clearTimeout(timer);
  try {
    const { items, more } = await listApprovals();
    show(items);
    document.getElementById("approvals-more").hidden = !more;
  } catch (error) {
    // The list of exports tells about a lost connection.
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
  }
  timer = setTimeout(() => document.hidden || look(), EVERY_MS);
}

function show(items) {
  const waiting = new Set(items.map((item) => item.task_id));
  for (const [id, line] of known) {
    if (waiting.has(id)) continue;
    line.remove();
    known.delete(id);
  }
  for (const item of items) {
    const line = known.get(item.task_id) ?? made(item);
    fillTimes(line, item);
    // A line keeps its place, and so what somebody is typing there.
    if (!line.isConnected) list.append(line);
  }
  section.hidden = !items.length;
  heading.querySelector("[data-slot=count]").textContent = number(items.length);
  const fresh = items.filter((item) => seen && !seen.has(item.task_id));
  if (fresh.length) tell(text("approvals_new", { user: fresh[0].requested_by, title: datasetTitle(fresh[0].type) }));
  seen = waiting;
  if (location.hash === "#approvals" && items.length) {
    history.replaceState(null, "", location.pathname + location.search);
    heading.focus();
  }
}

function made(item) {
  const line = document.getElementById("approval-template").content.firstElementChild.cloneNode(true);
  const slot = (name) => line.querySelector(`[data-slot="${name}"]`);
  const title = datasetTitle(item.type);
  slot("title").textContent = `${title} · ${textOr(`format_${item.format}`, item.format)}`;
  slot("filters").replaceChildren(...chipsOf(item));
  slot("reason").hidden = !item.reason;
  slot("reason").textContent = item.reason ?? "";
  slot("note").placeholder = text("approvals_note", { user: item.requested_by });
  slot("note").setAttribute("aria-label", text("approvals_note", { user: item.requested_by }));
  for (const button of line.querySelectorAll("button")) {
    button.setAttribute("aria-label", text("approvals_of", { action: button.textContent, title, user: item.requested_by }));
    button.addEventListener("click", () => answer(item, line, button));
  }
  slot("answer").setAttribute("aria-label", title);
  known.set(item.task_id, line);
  return line;
}

function fillTimes(line, item) {
  line.querySelector('[data-slot="who"]').textContent = [
    text("approvals_who", { user: item.requested_by, time: age(item.requested_at) }),
    text("approvals_until", { time: day(item.answer_until) }),
  ].join(" · ");
}

function chipsOf(item) {
  const said = filtersOf(item).map(({ label, value }) => text("filter_line", { label, value }));
  if (!said.length) said.push(text("approvals_no_filters"));
  if (item.columns) said.push(text("approvals_columns", { columns: item.columns.join(", ") }));
  return said.map((one) => element("li", one, { class: "filter-chip" }));
}

async function answer(item, line, button) {
  const { value: verb } = button;
  const note = line.querySelector('[data-slot="note"]').value.trim();
  const buttons = line.querySelectorAll("button");
  for (const one of buttons) one.disabled = true;
  try {
    await answerApproval(item.task_id, verb, note ? { note } : {});
    tell(text(verb === "approve" ? "approvals_approved" : "approvals_declined", { user: item.requested_by }));
  } catch (error) {
    tellFailure(error);
  } finally {
    for (const one of buttons) one.disabled = false;
  }
  await look();
  (section.hidden ? document.getElementById("list-title") : heading).focus();
}
