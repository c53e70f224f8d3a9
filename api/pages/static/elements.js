// Elements with text content: the only way the scripts of the pages create elements.

import { exact, text } from "./texts.js";

export function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** A moment, said as `shown`, and exactly on hover. */
export function moment(iso, shown) {
  return element("time", shown, { datetime: iso, title: exact(iso) });
}

/** Fill `place` with the text `name`, in which `{time}` becomes the moment `iso`, said as `shown`. */
export function fillWithTime(place, name, iso, shown, holes = {}) {
  const [before, after] = text(name, { ...holes, time: "\0" }).split("\0");
  place.replaceChildren(before, ...(after === undefined ? [] : [moment(iso, shown), after]));
}

/** Fill `place` with short phrases. None of them is broken across lines. */
export function phrases(place, parts) {
  place.replaceChildren(...parts.flatMap((part, at) => [
    ...(at ? [" · "] : []), element("span", part, { class: "phrase" }),
  ]));
}
