// A text filter with the values that are in the data: a combobox, which any other text may be typed into.

import { listChoices, Refused, Unreachable } from "./calls.js";
import { element } from "./elements.js";
import { afterPress } from "./presses.js";
import { text } from "./texts.js";

const TYPING_MS = 250;

/** Wire the text fields of `form` whose dataset tells which values there are. */
export function wireDataChoices(form) {
  for (const input of form.querySelectorAll("[data-choices]")) new DataChoices(input);
}

class DataChoices {
  #input;
  #list;
  #hint;
  #cache = new Map();
  #items = [];
  #at = -1;
  #timer = null;
  #asking = null;

  constructor(input) {
    this.#input = input;
    this.#list = input.parentElement.querySelector("[role=listbox]");
    this.#hint = input.closest(".field").querySelector(".choice-hint");
    input.addEventListener("focus", () => this.#look(0));
    input.addEventListener("click", () => this.#look(0));
    input.addEventListener("input", (event) => event.isTrusted && this.#look(TYPING_MS));
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.#leave());
    // The field must not lose the focus before the click.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#take(this.#items[Number(option.dataset.at)]);
    });
    this.#hint.querySelector("button").addEventListener("click", (event) => {
      this.#put(event.target.textContent);
      this.#hint.hidden = true;
    });
  }

  #look(wait) {
    clearTimeout(this.#timer);
    this.#hint.hidden = true;
    this.#timer = setTimeout(() => this.#show(), wait);
  }

  async #show() {
    const typed = this.#input.value.trim();
    const items = await this.#matching(typed);
    if (!items || document.activeElement !== this.#input || this.#input.value.trim() !== typed) return;
    this.#draw(items);
  }

  /** The values that contain `typed`; null if they cannot be had. */
  async #matching(typed) {
    const folded = typed.toLowerCase();
    const whole = [...this.#cache].find(([asked, { more }]) => !more && folded.includes(asked));
    if (whole) return whole[1].items.filter((item) => saysTo(item, folded));
    if (this.#cache.has(folded)) return this.#cache.get(folded).items;
    this.#asking?.abort();
    this.#asking = new AbortController();
    try {
      const answer = await listChoices(datasetOf(this.#input), this.#input.dataset.param, typed, this.#asking.signal);
      this.#cache.set(folded, answer);
      return answer.items;
    } catch (error) {
      // The field takes any text, as without a list.
      if (error instanceof Refused || error instanceof Unreachable) return null;
      throw error;
    }
  }

  #draw(items) {
    this.#items = items;
    this.#at = -1;
    const { id } = this.#list;
    this.#list.replaceChildren(...items.map((item, at) => element("li", item.label, {
      id: `${id}-${at}`, role: "option", "data-at": at, "aria-selected": "false",
    })));
    this.#open(items.length > 0);
  }

  #open(open) {
    this.#list.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
    if (!open) this.#input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const open = !this.#list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (open) this.#move(event.key === "ArrowDown" ? 1 : -1);
      else this.#look(0);
    } else if (event.key === "Enter" && open && this.#at >= 0) {
      event.preventDefault();
      this.#take(this.#items[this.#at]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      this.#open(false);
    }
  }

  #move(by) {
    const options = [...this.#list.children];
    this.#at = (this.#at + by + options.length + (this.#at < 0 && by < 0 ? 1 : 0)) % options.length;
    for (const [at, option] of options.entries()) option.setAttribute("aria-selected", String(at === this.#at));
    options[this.#at].scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", options[this.#at].id);
  }

  #take(item) {
    this.#put(item.value);
    this.#open(false);
  }

  #put(value) {
    this.#input.value = value;
    for (const event of ["input", "change"]) this.#input.dispatchEvent(new Event(event, { bubbles: true }));
  }

  /** Say that no row has this value, and which one may be meant. */
  async #leave() {
    this.#open(false);
    const typed = this.#input.value.trim();
    if (!typed || !this.#cache.size) return;
    const whole = this.#cache.get("");
    const folded = typed.toLowerCase();
    const near = (await this.#matching(typed)) ?? [];
    if (this.#input.value.trim() !== typed || near.some(({ value }) => value === typed)) return;
    const alike = near.find(({ value, label }) => value.toLowerCase() === folded || label.toLowerCase() === folded);
    if (!alike && (!whole || whole.more)) return;
    afterPress(() => this.#say(typed, alike));
  }

  #say(typed, alike) {
    this.#hint.hidden = false;
    this.#hint.querySelector("span").textContent = text(alike ? "choices_alike" : "choices_none", { value: typed });
    const button = this.#hint.querySelector("button");
    button.hidden = !alike;
    button.textContent = alike?.value ?? "";
  }
}

const saysTo = ({ value, label }, folded) => value.toLowerCase().includes(folded) || label.toLowerCase().includes(folded);
const datasetOf = (input) => input.closest("[data-dataset]").dataset.dataset;
