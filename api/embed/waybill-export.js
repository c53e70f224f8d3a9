// <waybill-export type="invoices" format="xlsx" params='{"city": "Rome"}'>Export</waybill-export>
//
// A button that starts an export, shows its progress, and downloads the file. It needs no other
// script, no inline style and no inline script. Set `token` to a text or to a (possibly async)
// function where the session cookie does not come along, as between different sites.

const SERVER = new URL("..", import.meta.url);
const FIRST_WAIT_SECONDS = 10;
const LONGEST_POLL_MS = 15_000;

const TEXTS = {
  en: { label: "Export", busy: "Exporting…", rows: "{rows} rows", done: "Downloaded.", failed: "The export failed: {why}" },
  zh: { label: "导出", busy: "正在导出…", rows: "{rows} 行", done: "已下载。", failed: "导出失败：{why}" },
};

const STYLE = `
  :host { display: inline-flex; gap: .5em; align-items: center; }
  button { font: inherit; padding: .4em .9em; cursor: pointer; }
  button[aria-disabled=true] { cursor: progress; opacity: .6; }
`;

export class WaybillExport extends HTMLElement {
  /** A bearer token, or a function that returns one; without it the session cookie is sent. */
  token = null;
  #running = false;
  #button;
  #status;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    this.#button = document.createElement("button");
    this.#button.type = "button";
    this.#button.part = "button";
    const slot = document.createElement("slot");
    slot.textContent = this.#text("label");
    this.#button.append(slot);
    this.#status = document.createElement("span");
    this.#status.setAttribute("role", "status");
    this.#status.part = "status";
    root.append(this.#button, this.#status);
    this.#button.addEventListener("click", () => this.start());
  }

  /** Start the export that the attributes describe. A second call while it runs does nothing. */
  async start() {
    if (this.#running) return;
    this.#setRunning(true);
    try {
      const task = await this.#finished(await this.#submit());
      if (task.status !== "SUCCESS") throw new Error(task.last_error?.cause ?? task.status);
      const link = await this.#call(`api/export-tasks/${task.id}/download`, { headers: { Accept: "application/json" } });
      this.#download((await link.json()).url);
      this.#say("done");
      this.#tell("waybill-done", { task });
    } catch (error) {
      this.#say("failed", { why: error.message });
      this.#tell("waybill-error", { error });
    } finally {
      this.#setRunning(false);
    }
  }

  async #submit() {
    this.#say("busy");
    const random = crypto.getRandomValues(new Uint8Array(16));
    const answer = await this.#call("api/export-tasks", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Idempotency-Key": [...random].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
        Prefer: `wait=${FIRST_WAIT_SECONDS}`,
      },
      body: JSON.stringify({
        type: this.getAttribute("type"),
        format: this.getAttribute("format") ?? "xlsx",
        params: JSON.parse(this.getAttribute("params") || "{}"),
        ...this.#list("columns"),
        ...this.#list("sort"),
        ...(this.hasAttribute("timezone") && { timezone: this.getAttribute("timezone") }),
        ...(this.hasAttribute("filename") && { filename: this.getAttribute("filename") }),
      }),
    });
    return answer.json();
  }

  /** An attribute of names, as a part of the request: columns="id,total", sort="-total". */
  #list(name) {
    const names = (this.getAttribute(name) ?? "").split(",").map((item) => item.trim()).filter(Boolean);
    return names.length ? { [name]: names } : {};
  }

  async #finished(started) {
    let task = started;
    let wait = 1_000;
    while (task.status === "PENDING" || task.status === "PROCESSING") {
      this.#tell("waybill-progress", { task });
      const rows = task.progress.rows_done;
      if (rows) this.#status.textContent = this.#text("rows", { rows: rows.toLocaleString(this.#language) });
      await new Promise((go) => setTimeout(go, wait));
      const answer = await this.#call(`api/export-tasks/${task.id}`, {});
      wait = Math.min(Number(answer.headers.get("Retry-After")) * 1_000 || wait, LONGEST_POLL_MS);
      task = await answer.json();
    }
    return task;
  }

  async #call(path, { headers, ...options }) {
    const sent = { "Accept-Language": this.#language, ...headers };
    const token = typeof this.token === "function" ? await this.token() : this.token;
    if (token) sent.Authorization = `Bearer ${token}`;
    const credentials = token ? "omit" : "include";
    const answer = await fetch(new URL(path, SERVER), { ...options, headers: sent, credentials });
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail ?? `HTTP ${answer.status}`);
  }

  #download(url) {
    // The store sends the file as an attachment, so the page stays where it is.
    const link = document.createElement("a");
    link.href = url;
    link.rel = "noreferrer";
    link.click();
  }

  #setRunning(running) {
    this.#running = running;
    // Not `disabled`, which takes the focus away from somebody who uses the keyboard.
    this.#button.setAttribute("aria-disabled", String(running));
  }

  #say(name, holes) {
    this.#status.textContent = this.#text(name, holes);
  }

  #text(name, holes = {}) {
    return TEXTS[this.#language][name].replace(/\{(\w+)\}/g, (hole, key) => holes[key] ?? hole);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  get #language() {
    return (document.documentElement.lang || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  }
}

customElements.define("waybill-export", WaybillExport);
