// Lists that are pasted or read from a file: split, counted, and searched for what is there twice.

import { element } from "./elements.js";
import { counted, number, text } from "./texts.js";

const MOST_SHOWN = 3;
const MOST_BYTES = 5_000_000;
/** A quoted value, or what stands between two separators. */
const PARTS = /\s*"((?:[^"]|"")*)"\s*(?=[\n\r,;\t，；、]|$)|([^\n\r,;\t，；、]+)/g;
const SEPARATOR = /["\n\r,;\t，；、]/;

/**
 * The values of a pasted list. Commas, semicolons, tabs and new lines part them; blanks do where each
 * piece has a digit, or `kind` is not "string". A value in double quotes stays whole.
 */
export function splitList(content, kind = "string") {
  const values = [];
  for (const [, quoted, plain] of content.matchAll(PARTS)) {
    if (quoted !== undefined) {
      values.push(quoted.replaceAll('""', '"'));
      continue;
    }
    const pieces = plain.trim().split(/\s+/).filter(Boolean);
    const apart = kind !== "string" || pieces.every((piece) => /\d/.test(piece));
    values.push(...(apart ? pieces : [plain.trim()]));
  }
  return values.filter(Boolean);
}

/** Values as the field shows them, so that `splitList` gives the same again. */
export function joinList(values) {
  return values.map((value) => {
    const shown = String(value);
    const isSafe = !SEPARATOR.test(shown) && splitList(shown).length === 1;
    return isSafe ? shown : `"${shown.replaceAll('"', '""')}"`;
  }).join("\n");
}

/** Wire the lists of `form`: counted while they are typed, and filled from files. */
export function wireLists(form) {
  const boxes = [...form.querySelectorAll("[data-kind=list]")];
  const draw = () => boxes.forEach(say);
  for (const event of ["input", "change", "draftrestore"]) form.addEventListener(event, draw);
  for (const box of boxes) {
    const row = box.closest(".field");
    row.querySelector("[data-list=unique]").addEventListener("click", () => {
      put(box, [...new Set(valuesOf(box))]);
      box.focus();
    });
    const file = row.querySelector("[type=file]");
    row.querySelector("[data-list=file]").addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files.length) read(box, file.files[0]);
      file.value = "";
    });
    box.addEventListener("dragover", (event) => event.preventDefault());
    box.addEventListener("drop", (event) => {
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      read(box, event.dataTransfer.files[0]);
    });
  }
  draw();
}

const valuesOf = (box) => splitList(box.value, box.dataset.item);

function put(box, values) {
  box.value = joinList(values);
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

function say(box) {
  const row = box.closest(".field");
  const said = row.querySelector(".list-said");
  const values = valuesOf(box);
  const seen = new Set();
  const twice = new Set(values.filter((value) => seen.size === seen.add(value).size));
  row.querySelector("[data-list=unique]").hidden = !twice.size;
  said.hidden = !values.length;
  if (!values.length) return;
  const parts = [element("b", counted("list_count", "count", values.length)), `: ${firstOf(values)}`];
  if (twice.size) parts.push(element("span", text("list_twice", { values: firstOf([...twice]) }), { class: "list-twice" }));
  said.replaceChildren(...parts);
}

function firstOf(values) {
  const first = values.slice(0, MOST_SHOWN).join(text("list_comma"));
  return values.length > MOST_SHOWN ? text("list_more", { values: first, count: number(values.length - MOST_SHOWN) }) : first;
}

/** Add the values of a file: of its first column, if it is a table, without its heading. */
async function read(box, file) {
  const problem = box.closest(".field").querySelector(".list-problem");
  problem.hidden = file.size <= MOST_BYTES;
  problem.textContent = text("list_too_large");
  if (!problem.hidden) return;
  const lines = decoded(await file.arrayBuffer()).split(/\r\n|\r|\n/).filter((line) => line.trim());
  const isTable = /\.[ct]sv$/i.test(file.name) || lines.every((line) => /[;\t]/.test(line));
  const values = isTable ? withoutHeading(lines.map(firstCell)) : splitList(lines.join("\n"), box.dataset.item);
  put(box, [...valuesOf(box), ...values]);
}

/** UTF-8 or UTF-16; else what programs in the reader's country write. */
function decoded(bytes) {
  const start = new Uint8Array(bytes.slice(0, 2));
  if (start[0] === 0xff && start[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder(document.documentElement.lang.startsWith("zh") ? "gb18030" : "windows-1252").decode(bytes);
  }
}

function firstCell(line) {
  const [, quoted, plain] = line.match(/^\s*(?:"((?:[^"]|"")*)"|([^,;\t]*))/);
  return (quoted?.replaceAll('""', '"') ?? plain).trim();
}

/** A first cell without a digit, above cells that all have one, is a heading. */
function withoutHeading(cells) {
  const [first, ...rest] = cells.filter(Boolean);
  const isHeading = rest.length > 0 && !/\d/.test(first) && rest.every((cell) => /\d/.test(cell));
  return (isHeading ? rest : [first, ...rest]).filter(Boolean);
}
