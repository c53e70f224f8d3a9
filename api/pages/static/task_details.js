// What a card says when it is opened: filters, proof, and what was changed to fit the format.

import { element } from "./elements.js";
import { moment, number, text, textOr } from "./texts.js";

/** Fill the list of facts about `task`. */
export function fillDetails(list, task) {
  const chosen = Object.entries(task.params).filter(([, value]) => value !== null);
  const facts = [[text("detail_params"), chosen.map(([name, value]) => `${name} = ${shown(value)}`)]];
  if (task.completeness) {
    facts.push([text("detail_snapshot"), [moment(task.completeness.snapshot_at)]]);
    facts.push([text("detail_digest"), [task.completeness.digest]]);
  }
  if (task.warnings.length) facts.push([text("detail_warnings"), task.warnings.map(warning)]);
  facts.push([text("detail_id"), [task.id]]);
  list.replaceChildren(...facts.flatMap(([name, lines]) => [
    element("dt", name), ...(lines.length ? lines : [text("none")]).map((line) => element("dd", line)),
  ]));
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function warning({ column, rule, count }) {
  // A rule of a newer server than this page has no words yet; its name is better than nothing.
  const explanation = textOr(`rule_${rule}`, String(rule).replaceAll("_", " "));
  return text("warning", { column, explanation, count: number(count) });
}
