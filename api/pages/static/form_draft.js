// The content of the form, kept in this tab over a language switch, a lost session and a reload.

import { showDataset } from "./export_form.js";

const TYPING_MS = 250;
const NOT_KEPT = "[type=password], [type=file], [type=hidden], [data-not-kept], [data-not-kept] *, button";
const KEY = `waybill draft ${document.documentElement.dataset.me}`;

export class FormDraft {
  #form;
  #pristine;
  #timer = null;
  #clear = document.getElementById("clear-form");

  /** Other scripts add what they draw themselves: events `draftsave` and `draftrestore`, `detail`. */
  constructor(form) {
    this.#form = form;
    this.#pristine = snapshot(form);
    for (const event of ["input", "change"]) {
      form.addEventListener(event, () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#save(), TYPING_MS);
      });
    }
    window.addEventListener("pagehide", () => this.#timer && this.#save());
    for (const leave of document.querySelectorAll("form[action*='/session/end']")) {
      leave.addEventListener("submit", () => this.forget());
    }
    this.#clear.addEventListener("click", () => {
      this.#apply(this.#pristine);
      this.forget();
      form.elements.type.focus();
    });
  }

  /** Put back what this tab has kept; whether there was anything for an address with `search`. */
  restore(search) {
    const kept = read();
    if (!kept || (search && kept.link !== search)) return false;
    this.#apply(kept);
    this.#clear.hidden = false;
    return true;
  }

  /** The form was sent, or its content is no longer wanted. */
  forget() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#clear.hidden = true;
    store(null);
  }

  #save() {
    this.#timer = null;
    const now = snapshot(this.#form);
    if (JSON.stringify(now) === JSON.stringify(this.#pristine)) return this.forget();
    store({ ...now, link: new URLSearchParams(location.search).has("type") ? location.search : "" });
    this.#clear.hidden = false;
  }

  #apply({ values, extra }) {
    for (const [key, control] of controls(this.#form)) if (key in values) put(control, values[key]);
    const { type } = this.#form.elements;
    if (type.selectedIndex < 0) type.selectedIndex = 0;
    showDataset(this.#form, type.value);
    type.dispatchEvent(new Event("change", { bubbles: true }));
    this.#form.dispatchEvent(new CustomEvent("draftrestore", { detail: extra ?? {} }));
  }
}

function snapshot(form) {
  const extra = {};
  form.dispatchEvent(new CustomEvent("draftsave", { detail: extra }));
  return { values: Object.fromEntries([...controls(form)].map(([key, control]) => [key, taken(control)])), extra };
}

/** Each control with a key that stays the same over reloads. */
function* controls(form) {
  for (const control of form.querySelectorAll("input, select, textarea")) {
    if (control.matches(NOT_KEPT)) continue;
    const dataset = control.closest("[data-dataset]")?.dataset.dataset ?? "";
    const param = control.closest("[data-param]")?.dataset.param;
    const name = param ?? (control.name || control.id);
    const choice = control.matches("[type=checkbox], [type=radio]") ? control.value : "";
    if (name) yield [JSON.stringify([dataset, name, choice]), control];
  }
}

const isTicked = (control) => control.matches("[type=checkbox], [type=radio]");
const taken = (control) => (isTicked(control) ? control.checked : control.value);

function put(control, value) {
  if (isTicked(control)) control.checked = value;
  else control.value = value;
}

// A browser may forbid to store anything. Then nothing is kept.
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function store(content) {
  try {
    if (content) sessionStorage.setItem(KEY, JSON.stringify(content));
    else sessionStorage.removeItem(KEY);
  } catch { /* as above */ }
}
