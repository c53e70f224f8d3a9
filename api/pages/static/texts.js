// Texts, and numbers and times formatted by the browser for the language of the page.

const language = document.documentElement.lang;
const texts = JSON.parse(document.getElementById("texts").textContent);
const numbers = new Intl.NumberFormat(language);
const moments = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium", hour12: false });
const days = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const ages = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** The text `name` with its {placeholders} filled in. */
export function text(name, holes = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (hole, key) => holes[key] ?? hole);
}

/** The text `name` with `count` as placeholder `hole`; `name_one`, if there is one, for a single thing. */
export function counted(name, hole, count, holes = {}) {
  const one = count === 1 && texts[`${name}_one`] !== undefined;
  return text(one ? `${name}_one` : name, { ...holes, [hole]: number(count) });
}

/** The text `name`, or `otherwise` if there is none. */
export function textOr(name, otherwise) {
  return texts[name] ?? otherwise;
}

export function number(value) {
  return numbers.format(value);
}

export function bytes(value) {
  const power = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  const unit = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"][power];
  return new Intl.NumberFormat(language, {
    style: "unit", unit, unitDisplay: power ? "short" : "long", maximumFractionDigits: power > 1 ? 1 : 0,
  }).format(value / 1000 ** power);
}

export function moment(iso) {
  return moments.format(new Date(iso));
}

/** The time only, if it is today; otherwise date and time. */
export function momentOrClock(iso) {
  const then = new Date(iso);
  return then.toDateString() === new Date().toDateString() ? clock.format(then) : moments.format(then);
}

export function day(iso) {
  return days.format(new Date(iso));
}

/** "3 minutes ago", or "in 3 minutes". */
export function age(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const far = Math.abs(seconds);
  const [unit, length] = UNITS.find(([, length]) => far >= length) ?? ["second", 1];
  return ages.format(Math.trunc(seconds / length), unit);
}

/** A duration as "2 minutes", rounded up. */
export function duration(seconds) {
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" })
    .format(Math.max(1, Math.ceil(seconds / length)));
}
