// Files that colleagues have shared with the reader by mail.

import { listSharedFiles, Refused, Unreachable } from "./calls.js";
import { datasetTitle } from "./dataset_texts.js";
import { age, bytes, counted, day, text, textOr } from "./texts.js";

/** Show the files, if there are any. */
export async function showShared() {
  let items;
  try {
    ({ items } = await listSharedFiles());
  } catch (error) {
    // The list of exports tells about a lost connection.
    if (error instanceof Refused || error instanceof Unreachable) return;
    throw error;
  }
  document.getElementById("shared").hidden = !items.length;
  document.getElementById("shared-list").replaceChildren(...items.map(lineOf));
}

function lineOf(file) {
  const line = document.getElementById("shared-template").content.firstElementChild.cloneNode(true);
  const slot = (name) => line.querySelector(`[data-slot="${name}"]`);
  slot("name").textContent = file.filename;
  slot("what").textContent = [
    datasetTitle(file.type),
    textOr(`format_${file.format}`, file.format),
    file.rows === null ? "" : counted("estimate_rows", "rows", file.rows),
    file.size_bytes === null ? "" : bytes(file.size_bytes),
  ].filter(Boolean).join(" · ");
  slot("who").textContent = [
    text("shared_who", { user: file.shared_by, time: age(file.shared_at) }),
    file.expires_at === null ? "" : text("shared_until", { time: day(file.expires_at) }),
  ].filter(Boolean).join(" · ");
  slot("download").href = file.url;
  slot("download").setAttribute("aria-label", text("of_saved", { action: text("download"), name: file.filename }));
  return line;
}
