// Texts, numbers and times for a person: texts come with the page, the rest from the browser.

const texts = JSON.parse(document.getElementById("texts").textContent);
const numbers = new Intl.NumberFormat(texts.language);
const dates = new Intl.DateTimeFormat(texts.language, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(texts.language, { dateStyle: "medium" });
const ages = new Intl.RelativeTimeFormat(texts.language, { numeric: "auto" });

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** The text called `name`, with the {holes} in it filled. */
export function text(name, holes = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (hole, key) => holes[key] ?? hole);
}

/** The text called `name`, or `otherwise` where there is none. */
export function textOr(name, otherwise) {
  return texts[name] ?? otherwise;
}

export function number(value) {
  return numbers.format(value);
}

export function bytes(value) {
  const power = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  const unit = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"][power];
  return new Intl.NumberFormat(texts.language, {
    style: "unit", unit, unitDisplay: power ? "short" : "long", maximumFractionDigits: power > 1 ? 1 : 0,
  }).format(value / 1000 ** power);
}

export function moment(iso) {
  return dates.format(new Date(iso));
}

export function day(iso) {
  return days.format(new Date(iso));
}

/** "3 minutes ago". */
export function age(iso) {
  const seconds = (Date.now() - new Date(iso)) / 1000;
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return ages.format(-Math.max(0, Math.floor(seconds / length)), unit);
}

/** "2 minutes", for a wait of so many seconds. */
export function duration(seconds) {
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return new Intl.NumberFormat(texts.language, { style: "unit", unit, unitDisplay: "short" })
    .format(Math.ceil(seconds / length));
}
