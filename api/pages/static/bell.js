// The bell: notifications of exports that ended, stored by the server.

import { BASE, listNotices, readNotices, Refused, Unreachable } from "./calls.js";
import { element, moment } from "./elements.js";
import { age, counted, number, text } from "./texts.js";

const titleOf = (notice) => text(
  notice.event === "schedule.paused" ? "paused_notice" : `now_${notice.status}`, { filename: notice.filename },
);

export class Bell {
  #root;
  #button;
  #panel;
  #notices = [];

  constructor(root) {
    this.#root = root;
    this.#button = root.querySelector("button");
    this.#panel = root.querySelector(".panel");
    this.#button.addEventListener("click", () => this.#toggle(this.#panel.hidden));
    document.addEventListener("click", (event) => root.contains(event.target) || this.#toggle(false));
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#panel.hidden) return;
      this.#toggle(false);
      this.#button.focus();
    });
  }

  /** Fetch the notifications. On an error the bell stays as it is; the list shows the error. */
  async look() {
    try {
      const { items, unread } = await listNotices();
      this.#notices = items;
      this.#root.hidden = false;
      this.#count(unread);
      this.#fill();
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
    }
  }

  #toggle(open) {
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (open && this.#notices.length) this.#read();
  }

  async #read() {
    try {
      this.#count((await readNotices(this.#notices[0].id)).unread);
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error;
    }
  }

  #count(unread) {
    const badge = this.#button.querySelector(".count");
    badge.hidden = !unread;
    badge.textContent = unread > 99 ? "99+" : number(unread);
    this.#button.setAttribute("aria-label", unread ? counted("notices_unread", "count", unread) : text("notices"));
  }

  #fill() {
    const lines = this.#notices.map((notice) => {
      const line = element("li", "", notice.read_at ? {} : { class: "unread" });
      const link = element("a", titleOf(notice), {
        href: notice.schedule_id ? `${BASE}/#saved-title` : `${BASE}/?task=${notice.task_id}`,
      });
      line.append(link, moment(notice.created_at, age(notice.created_at)));
      return line;
    });
    this.#panel.querySelector("ul").replaceChildren(...lines);
    this.#panel.querySelector("p").hidden = lines.length > 0;
  }
}
