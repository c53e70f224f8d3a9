// The details of a card: filters, proof of completeness, and conversion warnings.

import { datasetTitle, filtersOf } from "./dataset_texts.js";
import { element } from "./elements.js";
import { exact, number, text, textOr } from "./texts.js";

/** Fill the list of facts about `task`. */
export function fillDetails(list, task) {
  const facts = [
    [text("dataset_label"), [datasetTitle(task.type)]],
    [text("detail_params"), filtersOf(task).map(({ label, value }) => text("filter_line", { label, value }))],
    [text("detail_created"), [exact(task.created_at)]],
  ];
  if (task.reason) facts.push([text("detail_reason"), [task.reason]]);
  if (task.protected) facts.push([text("detail_password"), [text("detail_password_kept")]]);
  if (task.approval && (task.waiting || task.approval.state !== "asked")) facts.push([text("detail_approval"), approvalOf(task.approval)]);
  if (task.completeness) {
    facts.push([text("detail_snapshot"), [exact(task.completeness.snapshot_at)]]);
    facts.push([text("detail_digest"), [task.completeness.digest]]);
  }
  if (task.warnings.length) facts.push([text("detail_warnings"), task.warnings.map(warning)]);
  facts.push([text("detail_id"), [task.id]]);
  list.replaceChildren(...facts.flatMap(([name, lines]) => [
    element("dt", name), ...(lines.length ? lines : [text("none")]).map((line) => element("dd", line)),
  ]));
}

function approvalOf({ state, until, decided_by: user, decided_at: at, note }) {
  const said = text(`approval_${state}`, { user, time: exact(at ?? until) });
  return note ? [said, text("approval_note", { note })] : [said];
}

function warning({ column, rule, count }) {
  // A newer server may send a rule that this page has no text for. Then its name is shown.
  const explanation = textOr(`rule_${rule}`, String(rule).replaceAll("_", " "));
  return text("warning", { column, explanation, count: number(count) });
}
