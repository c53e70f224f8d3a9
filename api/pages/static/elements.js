// Elements with text content: the only way the scripts of the pages create elements.

export function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Fill `place` with short phrases. None of them is broken across lines. */
export function phrases(place, parts) {
  place.replaceChildren(...parts.flatMap((part, at) => [
    ...(at ? [" · "] : []), element("span", part, { class: "phrase" }),
  ]));
}
