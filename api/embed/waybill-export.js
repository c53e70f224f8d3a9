// <waybill-export type="invoices" format="xlsx" params='{"city": "Rome"}'>Export</waybill-export>
//
// A button that starts an export, shows its progress, and downloads the file. It needs no other
// script, no inline style and no inline script. Set `token` to a text or to a (possibly async)
// function where the session cookie does not come along, as between different sites.
// A dataset that asks for a reason gets that of the attribute `reason`, or of the field that opens.
// With the attribute `password`, and for a dataset that demands it, the file has a password, which
// a dialog shows once.

const SERVER = new URL("..", import.meta.url);
const FIRST_WAIT_SECONDS = 10;
const LONGEST_POLL_MS = 15_000;
const LONGEST_REASON = 1_000;

const TEXTS = {
  en: { label: "Export", busy: "Exporting…", rows: "{rows} rows", done: "Downloaded.", failed: "The export failed: {why}", why: "What is the file needed for?", ask: "This export needs a reason.", cancel: "Cancel", approval: "Waiting for somebody to approve this export…",
    title: "Password of the file", once: "Note it now: it is shown only once and stored nowhere. If it gets lost, run the export again. The new file gets a new password.", copy: "Copy", copied: "Copied", byHand: "Copy it by hand", noted: "I have noted it" },
  zh: { label: "导出", busy: "正在导出…", rows: "{rows} 行", done: "已下载。", failed: "导出失败：{why}", why: "文件用途", ask: "请填写导出原因。", cancel: "取消", approval: "等待他人审批…",
    title: "文件密码", once: "请立即保存：密码只显示这一次，系统不会存储。如密码遗失，请再次导出，新文件会使用新密码。", copy: "复制", copied: "已复制", byHand: "请手动复制", noted: "我已保存" },
};

const STYLE = `
  :host { display: inline-flex; flex-wrap: wrap; gap: .5em; align-items: center; }
  button { font: inherit; padding: .4em .9em; cursor: pointer; }
  button[aria-disabled=true] { cursor: progress; opacity: .6; }
  form { display: inline-flex; flex-wrap: wrap; gap: .5em; align-items: center; }
  form[hidden] { display: none; }
  input { font: inherit; padding: .35em .5em; min-width: 12em; }
  dialog { box-sizing: border-box; width: 30em; max-width: calc(100vw - 2em); padding: 1.5em; border: 0;
    border-radius: 12px; color: CanvasText; background: Canvas; text-align: start; white-space: normal;
    box-shadow: 0 12px 40px rgb(0 0 0 / .3); }
  dialog::backdrop { background: rgb(0 0 0 / .45); }
  dialog h2 { margin: 0 0 .25em; font-size: 1.25em; }
  dialog p { margin: 0 0 1em; overflow-wrap: anywhere; }
  dialog div { display: flex; flex-wrap: wrap; gap: .75em; align-items: center; margin-bottom: 1em; }
  code { font: 1.1em ui-monospace, monospace; overflow-wrap: anywhere; user-select: all; }
`;

export class WaybillExport extends HTMLElement {
  /** A bearer token, or a function that returns one; without it the session cookie is sent. */
  token = null;
  #running = false;
  #button;
  #status;
  #form;
  #field;
  #reason = null;
  #wantsPassword = false;
  #dialog;

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
    this.#dialog = this.#passwordDialog();
    root.append(this.#button, this.#prompt(), this.#status, this.#dialog);
    this.#button.addEventListener("click", () => this.start());
  }

  /** Start the export that the attributes describe. A second call while it runs does nothing. */
  async start() {
    if (this.#running || this.#dialog.open) return;
    if (this.hasAttribute("reason") && !this.#reasonGiven()) {
      this.#askForReason();
      return;
    }
    this.#setRunning(true);
    try {
      const task = await this.#finished(await this.#started());
      if (task.status !== "SUCCESS") throw new Error(task.last_error?.cause ?? task.status);
      const link = await this.#call(`api/export-tasks/${task.id}/download`, { headers: { Accept: "application/json" } });
      this.#download((await link.json()).url);
      this.#say("done");
      this.#tell("waybill-done", { task });
    } catch (error) {
      if (error.field === "#/reason" && !this.#reasonGiven()) {
        this.#askForReason();
        return;
      }
      this.#say("failed", { why: error.message });
      this.#tell("waybill-error", { error });
    } finally {
      this.#reason = null;
      this.#setRunning(false);
    }
  }

  /** The field for a reason, closed; `<input slot="reason">` in the page takes its place. */
  #prompt() {
    const slot = document.createElement("slot");
    slot.name = "reason";
    this.#form = document.createElement("form");
    this.#form.part = "reason";
    this.#form.hidden = true;
    const label = document.createElement("label");
    this.#field = document.createElement("input");
    this.#field.part = "reason-input";
    this.#field.required = true;
    this.#field.maxLength = LONGEST_REASON;
    label.append(document.createElement("span"), " ", this.#field);
    const go = document.createElement("button");
    go.part = "reason-button";
    const cancel = document.createElement("button");
    cancel.type = "button";
    cancel.part = "reason-cancel";
    this.#form.append(label, go, cancel);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#reason = this.#field.value.trim();
      this.#field.value = this.#reason;
      // Blanks alone are no reason, and the browser takes them for one.
      if (this.#reason && this.#form.reportValidity()) {
        this.#closePrompt();
        this.start();
      }
    });
    cancel.addEventListener("click", () => this.#closePrompt());
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#closePrompt();
    });
    slot.append(this.#form);
    return slot;
  }

  #askForReason() {
    this.#say("ask");
    const own = this.#ownField();
    if (!own) {
      const [label, go, cancel] = this.#form.children;
      label.firstElementChild.textContent = this.#text("why");
      go.textContent = this.#text("label");
      cancel.textContent = this.#text("cancel");
      this.#form.hidden = false;
      this.#button.hidden = true;
    }
    (own ?? this.#field).focus();
    this.#tell("waybill-reason", {});
  }

  #closePrompt() {
    this.#form.hidden = true;
    this.#button.hidden = false;
    this.#status.textContent = "";
    this.#button.focus();
  }

  /** The page's own field, in the slot. */
  #ownField() {
    return this.querySelector("[slot=reason]");
  }

  #reasonGiven() {
    return (this.#reason || this.#ownField()?.value || this.getAttribute("reason") || "").trim();
  }

  /** The dialog that shows a password, closed. It closes by its button alone. */
  #passwordDialog() {
    const dialog = document.createElement("dialog");
    dialog.part = "password";
    dialog.setAttribute("aria-labelledby", "title");
    dialog.setAttribute("aria-describedby", "once");
    const title = Object.assign(document.createElement("h2"), { id: "title" });
    const name = Object.assign(document.createElement("p"), { part: "password-name" });
    const value = Object.assign(document.createElement("code"), { part: "password-value" });
    const copy = Object.assign(document.createElement("button"), { type: "button", part: "password-copy", ariaLive: "polite" });
    const once = Object.assign(document.createElement("p"), { id: "once" });
    const noted = Object.assign(document.createElement("button"), { type: "button", part: "password-noted" });
    const line = document.createElement("div");
    line.append(value, copy);
    dialog.append(title, name, line, once, noted);
    // Escape would take it away for good; pressed twice, it closes a dialog without asking.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") event.preventDefault();
    });
    noted.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      value.textContent = "";
      this.#button.focus();
    });
    copy.addEventListener("click", () => this.#copyPassword(copy, value));
    return dialog;
  }

  #showPassword(filename, password) {
    const [title, name, line, once, noted] = this.#dialog.children;
    const [value, copy] = line.children;
    title.textContent = this.#text("title");
    name.textContent = filename;
    value.textContent = password;
    copy.textContent = this.#text("copy");
    once.textContent = this.#text("once");
    noted.textContent = this.#text("noted");
    this.#dialog.showModal();
    copy.focus();
  }

  async #copyPassword(copy, place) {
    try {
      await navigator.clipboard.writeText(place.textContent);
      copy.textContent = this.#text("copied");
    } catch {
      // No permission, or plain HTTP, where there is no clipboard.
      getSelection().selectAllChildren(place);
      copy.textContent = this.#text("byHand");
    }
  }

  /** The task that was started. Its password is shown, and no event has it. */
  async #started() {
    this.#wantsPassword = this.hasAttribute("password");
    let answer;
    try {
      answer = await this.#submit();
    } catch (error) {
      if (error.field !== "#/password" || this.#wantsPassword) throw error;
      this.#wantsPassword = true;
      answer = await this.#submit();
    }
    const { password, ...task } = answer;
    if (password) this.#showPassword(task.filename, password);
    return task;
  }

  async #submit() {
    this.#say("busy");
    const reason = this.#reasonGiven();
    const random = crypto.getRandomValues(new Uint8Array(16));
    const answer = await this.#call("api/export-tasks", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Idempotency-Key": [...random].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
        // The password comes with the answer: at once, as nothing would tell it again.
        ...(!this.#wantsPassword && { Prefer: `wait=${FIRST_WAIT_SECONDS}` }),
      },
      body: JSON.stringify({
        type: this.getAttribute("type"),
        format: this.getAttribute("format") ?? "xlsx",
        params: JSON.parse(this.getAttribute("params") || "{}"),
        ...this.#list("columns"),
        ...this.#list("sort"),
        ...(this.hasAttribute("timezone") && { timezone: this.getAttribute("timezone") }),
        ...(reason && { reason }),
        ...(this.#wantsPassword && { password: true }),
        ...(this.hasAttribute("csv") && { csv: JSON.parse(this.getAttribute("csv")) }),
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
      if (task.approval?.state === "asked") this.#say("approval");
      else if (rows) this.#status.textContent = this.#text("rows", { rows: rows.toLocaleString(this.#language) });
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
    const error = new Error(problem.detail ?? `HTTP ${answer.status}`);
    error.field = problem.errors?.[0]?.pointer;
    throw error;
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
