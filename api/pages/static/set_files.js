// The files of an export that is a set: listed in its details, each with its own link.

import { downloadPath, listFiles } from "./calls.js";
import { element } from "./elements.js";
import { bytes, counted, text } from "./texts.js";

/** List the files of `task`, if it is a set; those that are ready can be downloaded. */
export async function showFiles(task, card) {
  const section = card.querySelector('[data-slot="set"]');
  section.hidden = !task.files || task.status === "EXPIRED";
  if (section.hidden) return;
  const { items, partial, expires_at: until } = await listFiles(task.id);
  card.querySelector('[data-slot="set-partial"]').hidden = !partial;
  const lines = items.map(lineOf);
  if (!partial) {
    const line = element("li");
    line.append(element("a", text("files_manifest"), { href: downloadPath(task.id) }));
    lines.push(line);
  }
  const list = card.querySelector('[data-slot="set-list"]');
  list.replaceChildren(...lines);
  // Links end after some minutes: then the click brings new ones.
  list.onclick = (event) => {
    if (!event.target.closest("a[download]") || Date.now() < Date.parse(until)) return;
    event.preventDefault();
    showFiles(task, card);
  };
}

function lineOf({ name, rows, size_bytes: size, url }) {
  const line = element("li");
  const facts = [counted("estimate_rows", "rows", rows), url ? bytes(size) : text("files_waiting")];
  line.append(
    url ? element("a", name, { href: url, download: "" }) : element("span", name),
    " ",
    element("span", facts.join(" · "), { class: "hint" }),
  );
  return line;
}
