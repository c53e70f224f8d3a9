// Elements with text in them: the only way the scripts of the page make any.

export function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Fill `place` with short phrases, each of which stays on one line. */
export function phrases(place, parts) {
  place.replaceChildren(...parts.flatMap((part, at) => [
    ...(at ? [" · "] : []), element("span", part, { class: "phrase" }),
  ]));
}
