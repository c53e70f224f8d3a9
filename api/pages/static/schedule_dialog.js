// The dialog that schedules a saved export: words, zone, recipient, and the next runs before saving.

import { changeSchedule, deleteSchedule, makeSchedule, previewSchedule, Refused } from "./calls.js";
import { element } from "./elements.js";
import { refusal, tell, tellFailure } from "./notice.js";
import { text } from "./texts.js";

const TYPING_MS = 250;
/** Day of the month, month, and day of the week of each preset. */
const PRESETS = { day: "* * *", workday: "* * 1-5", monday: "* * 1", friday: "* * 5", month: "1 * *" };

export class ScheduleDialog {
  #dialog;
  #fields;
  #changed;
  #saved = null;
  #plan = null;
  #turn = 0;

  /** `changed()` is called when a schedule was made, changed or deleted. */
  constructor(dialog, changed) {
    this.#dialog = dialog;
    this.#fields = dialog.querySelector("form");
    this.#changed = changed;
    let typing = null;
    this.#fields.addEventListener("input", () => {
      this.#showFields();
      clearTimeout(typing);
      typing = setTimeout(() => this.#preview(), TYPING_MS);
    });
    this.#fields.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#fields.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
    this.#fields.querySelector("[data-remove]").addEventListener("click", () => this.#remove());
  }

  /** Open it for a saved export, and for its schedule if there is one. */
  open(saved, plan) {
    this.#saved = saved;
    this.#plan = plan ?? null;
    this.#dialog.querySelector("h2").textContent = text("schedule_title", { name: saved.name });
    const fields = this.#fields.elements;
    fillZones(fields.zone, plan?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone);
    const [minute, hour, ...days] = (plan?.cron ?? "0 8 * * 1").split(" ");
    const preset = Object.keys(PRESETS).find((name) => PRESETS[name] === days.join(" "));
    const fixed = preset && /^\d+$/.test(minute) && /^\d+$/.test(hour);
    fields.preset.value = fixed ? preset : "other";
    fields.time.value = fixed ? `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}` : "08:00";
    fields.words.value = plan && !fixed ? plan.words ?? plan.cron : "";
    fields.email.value = plan?.recipients.email ?? "";
    this.#fields.querySelector("[data-remove]").hidden = !plan;
    this.#problem("");
    this.#showFields();
    this.#dialog.showModal();
    this.#preview();
  }

  #showFields() {
    const other = this.#fields.elements.preset.value === "other";
    this.#fields.querySelector('[data-for="other"]').hidden = !other;
    this.#fields.querySelector('[data-for="preset"]').hidden = other;
  }

  #times() {
    const { preset, time, words, zone } = this.#fields.elements;
    const [hour, minute] = (time.value || "08:00").split(":").map(Number);
    const cron = preset.value === "other" ? words.value.trim() : `${minute} ${hour} ${PRESETS[preset.value]}`;
    return { cron, timezone: zone.value };
  }

  async #preview() {
    const turn = ++this.#turn;
    const list = this.#dialog.querySelector("ol");
    const times = this.#times();
    if (!times.cron) return void list.replaceChildren();
    try {
      const { next_runs: runs } = await previewSchedule(times);
      if (turn !== this.#turn) return;
      this.#problem("");
      list.replaceChildren(...runs.map((run) => {
        const note = run.note ? ` (${text(`schedule_${run.note}`)})` : "";
        return element("li", timeIn(run.at, times.timezone) + note);
      }));
    } catch (error) {
      if (turn !== this.#turn) return;
      list.replaceChildren();
      this.#failed(error);
    }
  }

  async #save() {
    const email = this.#fields.elements.email.value.trim();
    const body = { ...this.#times(), notify: email ? { email } : null };
    // A webhook that a program has added stays, while nobody changes the recipients here.
    if (this.#plan && email === (this.#plan.recipients.email ?? "")) delete body.notify;
    try {
      const kept = this.#plan
        ? await changeSchedule(this.#plan.id, body)
        : await makeSchedule({ ...body, saved_export_id: this.#saved.id });
      this.#dialog.close();
      tell(text("schedule_done", { words: kept.words ?? kept.cron }), { kind: "good" });
      this.#changed();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #remove() {
    try {
      await deleteSchedule(this.#plan.id);
      this.#dialog.close();
      this.#changed();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error) {
    if (error instanceof Refused && error.status !== 401) return this.#problem(refusal(error));
    this.#dialog.close();
    tellFailure(error);
  }

  #problem(detail) {
    const line = this.#fields.querySelector(".form-problem");
    line.textContent = detail;
    line.hidden = !detail;
  }
}

function timeIn(at, timeZone) {
  return new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone, weekday: "short", year: "numeric", month: "short", day: "numeric",
    hour: "2-digit", minute: "2-digit", hour12: false, timeZoneName: "short",
  }).format(new Date(at));
}

function fillZones(select, chosen) {
  const zones = Intl.supportedValuesOf("timeZone");
  for (const zone of ["UTC", chosen]) if (!zones.includes(zone)) zones.unshift(zone);
  select.replaceChildren(...zones.map((zone) => element("option", zone, { value: zone })));
  select.value = chosen;
}
