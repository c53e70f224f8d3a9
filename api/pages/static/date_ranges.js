// Two dates that belong together: filled by a period in the reader's time zone, and in their order.

import { clearFieldProblem, showFieldProblem } from "./field_problems.js";
import { text } from "./texts.js";

const LAST_SECOND = "23:59:59";

/** First and last day of each period; `day(n)` is n days from today, `first` of a month or year. */
const PERIODS = {
  today: ({ day }) => [day(0), day(0)],
  yesterday: ({ day }) => [day(-1), day(-1)],
  last_7_days: ({ day }) => [day(-7), day(-1)],
  this_month: ({ month }) => month(0),
  last_month: ({ month }) => month(-1),
  this_year: ({ year }) => year(0),
};

/** Wire the ranges of `form`. */
export function wireRanges(form) {
  const ranges = [...form.querySelectorAll(".range")];
  const draw = (event) => {
    // Of a period that is being chosen the dates come a moment later.
    if (!event?.target.matches(".range select")) ranges.forEach(show);
  };
  for (const event of ["input", "change", "draftrestore"]) form.addEventListener(event, draw);
  for (const range of ranges) {
    range.querySelector("select").addEventListener("change", (event) => choose(range, event.target.value));
  }
  draw();
}

/** What is wrong with the order of the dates around `field`, or "". */
export function orderProblem(field) {
  const [from, to] = datesOf(field.closest(".range"));
  return field === to && from.value && to.value && to.value < from.value ? text("range_backwards") : "";
}

const datesOf = (range) => [...(range?.querySelectorAll("[data-param]") ?? [{}, {}])];

function choose(range, period) {
  if (period === "own") return datesOf(range)[0].focus();
  const days = period ? PERIODS[period](calendar()) : ["", ""];
  for (const [at, field] of datesOf(range).entries()) {
    field.value = days[at] && field.dataset.kind === "datetime" ? `${days[at]}T${at ? LAST_SECOND : "00:00:00"}` : days[at];
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

/** Show which period the dates are, and whether they are in order. */
function show(range) {
  const [from, to] = datesOf(range);
  const days = [from.value.slice(0, 10), to.value.slice(0, 10)];
  const now = calendar();
  const whole = from.dataset.kind !== "datetime" || !from.value || (from.value.slice(11, 16) === "00:00" && to.value.slice(11) === LAST_SECOND);
  const period = Object.keys(PERIODS).find((name) => PERIODS[name](now).every((day, at) => day === days[at]));
  range.querySelector("select").value = days.every((day) => !day) ? "" : (whole && period) || "own";
  const wrong = orderProblem(to);
  if (wrong) showFieldProblem(to, wrong);
  else if (to.closest(".field").querySelector(".field-problem").textContent === text("range_backwards")) clearFieldProblem(to);
}

/** The reader's calendar, as days in the form YYYY-MM-DD. */
function calendar(now = new Date()) {
  const iso = (date) => [
    String(date.getFullYear()).padStart(4, "0"), String(date.getMonth() + 1).padStart(2, "0"), String(date.getDate()).padStart(2, "0"),
  ].join("-");
  const at = (years, months, days) => iso(new Date(now.getFullYear() + years, now.getMonth() + months, days));
  return {
    day: (days) => at(0, 0, now.getDate() + days),
    month: (by) => [at(0, by, 1), at(0, by + 1, 0)],
    year: (by) => [iso(new Date(now.getFullYear() + by, 0, 1)), iso(new Date(now.getFullYear() + by, 11, 31))],
  };
}
