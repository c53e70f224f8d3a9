// Texts, and numbers and times formatted by the browser for the language of the page.

const language = document.documentElement.lang;
const texts = JSON.parse(document.getElementById("texts").textContent);
const numbers = new Intl.NumberFormat(language);
const HOURS = { hourCycle: "h23" };
const moments = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", ...HOURS });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium", ...HOURS });
// Styles and the name of a zone exclude each other.
const exactly = new Intl.DateTimeFormat(language, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  timeZoneName: "short", ...HOURS,
});
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

/** Date and time to the second, with the reader's time zone. */
export function exact(iso) {
  return exactly.format(new Date(iso));
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

/** A duration as "110 sec" or "2 min": two of a unit at least, so that rounding hides little. */
export function duration(seconds) {
  const [unit, length] = UNITS.find(([, length]) => seconds >= 2 * length) ?? ["second", 1];
  const count = unit === "second" ? Math.ceil(seconds) : Math.round(seconds / length);
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(Math.max(1, count));
}
