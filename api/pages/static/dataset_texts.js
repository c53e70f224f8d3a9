// What datasets and their filters are called, and the filters of an export as people read them.

import { day, exact, number, text } from "./texts.js";

const datasets = JSON.parse(document.getElementById("datasets").textContent);

const MOST_LISTED = 3;
const MOST_CHARS = 40;

/** The title of a dataset; its name, if the reader may no longer export it. */
export const datasetTitle = (name) => datasets[name]?.title ?? name;

/** The columns of a dataset that the reader may choose: name, label, type, help, masked. */
export const datasetColumns = (name) => datasets[name]?.columns ?? [];

/** Whether an export of a dataset needs a reason, an approval or a password; whether its file names the reader. */
export const asksFor = (name) => ({
  reason: datasets[name]?.reason ?? false,
  approval: datasets[name]?.approval ?? false,
  watermark: datasets[name]?.watermark ?? false,
  password: datasets[name]?.password ?? false,
});

/** The titles of a workbook's sheets; none for a dataset. */
export const sheetTitles = (name) => datasets[name]?.sheets ?? [];

/** The formats that a dataset can have, by name. */
export const datasetFormats = (name) => datasets[name]?.formats ?? [];

/** Label and value of each filter of `task` that is set; `onlyChanged` leaves out the defaults. */
export function filtersOf(task, { onlyChanged = false } = {}) {
  const known = datasets[task.type]?.params ?? {};
  return Object.entries(task.params)
    .filter(([name, value]) => isSet(value) && !(onlyChanged && same(value, known[name]?.default)))
    .map(([name, value]) => ({
      label: known[name]?.label ?? name.replaceAll("_", " "),
      value: shownValue(value, known[name]),
    }));
}

const isSet = (value) => value !== null && value !== "" && !(Array.isArray(value) && !value.length);
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other ?? null);

function shownValue(value, known) {
  if (Array.isArray(value)) {
    const first = value.slice(0, MOST_LISTED).map((one) => shownValue(one, known)).join(", ");
    return value.length > MOST_LISTED
      ? text("values_and_more", { values: first, count: number(value.length - MOST_LISTED) })
      : first;
  }
  const label = known?.choices?.[JSON.stringify(value)];
  if (label !== undefined) return label;
  if (typeof value === "boolean") return text(value ? "yes" : "no");
  if (known?.kind === "date" && !Number.isNaN(Date.parse(value))) return day(`${value}T00:00`);
  if (known?.kind === "datetime" && !Number.isNaN(Date.parse(value))) return exact(value);
  const shown = typeof value === "string" ? value : JSON.stringify(value);
  return shown.length > MOST_CHARS ? `${shown.slice(0, MOST_CHARS)}…` : shown;
}
