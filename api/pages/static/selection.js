// Several exports at once: selected by their boxes, then downloaded, cancelled or deleted.

import { cancelTask, deleteTask, downloadPath, Refused, signedLink, Unreachable } from "./calls.js";
import { expectEnds } from "./finishes.js";
import { tell } from "./notice.js";
import { isLive } from "./task_card.js";
import { counted, number, text } from "./texts.js";

const AT_ONCE = 4;
// A browser that is told to fetch a file drops the one before, if that has not begun.
const BETWEEN_FILES_MS = 1_000;

export class Selection {
  #bar;
  #all;
  #cards;
  #done;

  /** `cards()` are those on the page; `done()` is called after a change. */
  constructor(bar, { cards, done }) {
    this.#bar = bar;
    this.#all = bar.querySelector("#pick-all");
    this.#cards = cards;
    this.#done = done;
    this.#all.addEventListener("change", () => {
      for (const card of cards()) boxOf(card).checked = this.#all.checked;
      this.draw();
    });
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("[data-bulk]");
      if (button) this.#act(button);
    });
  }

  /** Show what can be done with the selected exports. */
  draw() {
    const cards = this.#cards();
    const tasks = this.#selected();
    this.#all.checked = tasks.length > 0 && tasks.length === cards.length;
    this.#all.indeterminate = tasks.length > 0 && tasks.length < cards.length;
    this.#bar.hidden = !cards.length;
    this.#bar.querySelector("#bulk").hidden = !tasks.length;
    this.#bar.querySelector("#bulk-count").textContent = tasks.length ? counted("selected", "count", tasks.length) : "";
    for (const [action, fits] of Object.entries(FITS)) {
      this.#bar.querySelector(`[data-bulk="${action}"]`).disabled = !tasks.some(fits);
    }
  }

  #selected() {
    return this.#cards().filter((card) => boxOf(card).checked).map((card) => card.task);
  }

  #clear() {
    for (const card of this.#cards()) boxOf(card).checked = false;
    this.draw();
  }

  async #act(button) {
    const action = button.dataset.bulk;
    if (action === "clear") return this.#clear();
    if (action === "delete" && !isSure(button)) return;
    const tasks = this.#selected().filter(FITS[action]);
    button.disabled = true;
    if (action === "cancel") expectEnds(tasks);
    const good = action === "links" ? await saveLinks(tasks) : await ACTIONS[action](tasks);
    const whole = good === tasks.length;
    tell(whole ? counted(`bulk_${action}`, "count", good) : text("bulk_partly", { good: number(good), all: number(tasks.length) }), {
      kind: whole ? "" : "problem",
    });
    if (action === "cancel" || action === "delete") {
      this.#clear();
      this.#done();
    }
    this.draw();
  }
}

const boxOf = (card) => card.querySelector('[data-slot="pick"]');
const hasFile = (task) => task.status === "SUCCESS";
const FITS = { download: hasFile, links: hasFile, cancel: (task) => isLive(task), delete: (task) => !isLive(task) };

const ACTIONS = {
  cancel: (tasks) => each(tasks, (task) => cancelTask(task.id)),
  delete: (tasks) => each(tasks, (task) => deleteTask(task.id)),
  download: async (tasks) => {
    for (const [at, task] of tasks.entries()) {
      if (at) await new Promise((resolve) => { setTimeout(resolve, BETWEEN_FILES_MS); });
      follow(downloadPath(task.id), task.filename);
    }
    return tasks.length;
  },
};

/** A file with a fresh link to each of the files, for a download manager or a script. */
async function saveLinks(tasks) {
  const files = [];
  const good = await each(tasks, async (task) => {
    const { url, expires_at } = await signedLink(task.id);
    files.push({ name: task.filename, size_bytes: task.size_bytes, sha256: task.sha256, rows: task.rows, url, expires_at });
  });
  if (!good) return 0;
  const content = new Blob([JSON.stringify({ files }, null, 2)], { type: "application/json" });
  const address = URL.createObjectURL(content);
  follow(address, "waybill-links.json");
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return good;
}

/** Run `call` for each task, a few at a time; how many went well. */
async function each(tasks, call) {
  const left = [...tasks];
  let good = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let task = left.shift(); task; task = left.shift()) {
      try {
        await call(task);
        good += 1;
      } catch (error) {
        if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
      }
    }
  }));
  return good;
}

function follow(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

/** Whether a deletion is confirmed. The button asks once; the question goes away with the focus. */
export function isSure(button) {
  if (button.dataset.asked) return true;
  button.dataset.asked = "yes";
  button.textContent = text("delete_sure");
  button.addEventListener("blur", () => {
    delete button.dataset.asked;
    button.textContent = text("delete");
  }, { once: true });
  return false;
}
