// The details of a card: filters, proof of completeness, and conversion warnings.

import { element } from "./elements.js";
import { moment, number, text, textOr } from "./texts.js";

/** Fill the list of facts about `task`. */
export function fillDetails(list, task) {
  const filters = Object.entries(task.params).filter(([, value]) => value !== null);
  const facts = [[text("detail_params"), filters.map(([name, value]) => `${name} = ${shown(value)}`)]];
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
  // A newer server may send a rule that this page has no text for. Then its name is shown.
  const explanation = textOr(`rule_${rule}`, String(rule).replaceAll("_", " "));
  return text("warning", { column, explanation, count: number(count) });
}
