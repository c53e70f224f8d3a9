// Saved exports: listed, saved from the form, run, edited, shared and deleted.

import {
  changeSaved, deleteSaved, getSaved, getSchedule, listSaved, listSchedules, pauseSchedule, Refused,
  resumeSchedule, runSaved, saveExport,
} from "./calls.js";
import { showFieldProblem } from "./field_problems.js";
import { fillFromTask } from "./form_task.js";
import { activeFields, collect } from "./form_values.js";
import { refusal, tell, tellFailure } from "./notice.js";
import { ScheduleDialog } from "./schedule_dialog.js";
import { text } from "./texts.js";

const minutes = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
const KINDS = ["date", "datetime"];

/**
 * Wire the section, and open what the address asks for: /?saved=ID, /?schedule=ID. `started` gets new
 * tasks; `opened()` is called when the form was filled in.
 */
export function wireSaved(form, { started, opened }) {
  const dialog = document.getElementById("save-dialog");
  const fields = dialog.querySelector("form");
  const schedules = new ScheduleDialog(document.getElementById("schedule-dialog"), () => look());
  let editing = null;

  async function look() {
    try {
      const [saved, planned] = await Promise.all([listSaved(), listSchedules()]);
      show(saved.items, planned.items);
    } catch (error) {
      tellFailure(error);
    }
  }

  function show(items, planned) {
    document.getElementById("saved-none").hidden = items.length > 0;
    document.getElementById("saved-list").replaceChildren(...items.map((item) => {
      const mine = planned.find((one) => one.mine && one.saved_export_id === item.id);
      return lineOf(item, mine, (action, button) => act(action, item, mine, button));
    }));
  }

  const actions = {
    run: async (item) => started(await runSaved(item.id)),
    schedule: (item, mine) => schedules.open(item, mine),
    pause: async (_item, mine) => { await pauseSchedule(mine.id); await look(); },
    resume: async (_item, mine) => { await resumeSchedule(mine.id); await look(); },
    edit: (item) => edit(item),
    delete: async (item, _mine, button) => {
      if (!("sure" in button.dataset)) {
        button.dataset.sure = "";
        button.textContent = text("delete_sure");
        return;
      }
      await deleteSaved(item.id);
      tell(text("saved_deleted", { name: item.name }));
      document.getElementById("saved-title").focus();
      await look();
    },
  };

  async function act(action, item, mine, button) {
    try {
      await actions[action](item, mine, button);
    } catch (error) {
      tellFailure(error);
    }
  }

  function edit(item) {
    editing = item.editable ? item : null;
    const hint = fillFromTask(form, taskOf(item));
    opened();
    form.scrollIntoView({ block: "nearest" });
    form.elements.type.focus();
    tell(hint || (editing ? text("saved_edit_hint", { name: item.name }) : ""), { lasting: true });
  }

  document.getElementById("save-export").addEventListener("click", () => {
    if (!collect(form, showFieldProblem)) return;
    fields.elements.name.value = editing?.name ?? "";
    fields.elements.shared.checked = editing?.shared ?? false;
    fields.elements.period.value = (editing && periodOf(editing)) ?? "";
    document.getElementById("saved-period-field").hidden = !dateFields(form).length;
    fields.querySelector("[data-save]").textContent = text(editing ? "saved_replace" : "saved_save");
    problem(fields, "");
    dialog.showModal();
  });
  fields.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  fields.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = fields.elements.name.value.trim();
    if (!name) {
      problem(fields, text("bad_required"));
      fields.elements.name.focus();
      return;
    }
    const request = collect(form, showFieldProblem);
    if (!request) return void dialog.close();
    relate(form, request, fields.elements.period.value);
    const body = {
      name, request, shared: fields.elements.shared.checked,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    };
    try {
      const kept = editing ? await changeSaved(editing.id, body) : await saveExport(body);
      tell(text(editing ? "saved_changed" : "saved_done", { name: kept.name }), { kind: "good" });
      editing = null;
      dialog.close();
      await look();
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 401) {
        dialog.close();
        tellFailure(error);
      } else problem(fields, refusal(error));
    }
  });

  look();
  openLinked({
    edit,
    plan: async (schedule) => {
      if (!schedule.saved_export_id) return tell(text("saved_gone"), { kind: "problem" });
      const item = await getSaved(schedule.saved_export_id);
      edit(item);
      schedules.open(item, schedule.mine ? schedule : undefined);
    },
  });
}

/** What the address names: a saved export to edit, or a schedule with its saved export. */
async function openLinked({ edit, plan }) {
  const query = new URLSearchParams(location.search);
  const saved = query.get("saved");
  const schedule = query.get("schedule");
  try {
    if (saved) edit(await getSaved(saved));
    else if (schedule) await plan(await getSchedule(schedule));
  } catch (error) {
    if (error instanceof Refused && error.status !== 401) {
      tell(text(saved ? "saved_gone" : "schedule_gone"), { kind: "problem" });
    } else tellFailure(error);
  }
}

/** Show or hide what is wrong in a dialog. */
export function problem(fields, detail) {
  const line = fields.querySelector(".form-problem");
  line.textContent = detail;
  line.hidden = !detail;
}

const dateFields = (form) => activeFields(form).filter((field) => KINDS.includes(field.dataset.kind));

/** Replace the first and the second date of a request by the edges of a period. */
function relate(form, request, period) {
  if (!period) return;
  const [from, to] = dateFields(form);
  request.params[from.dataset.param] = { relative: period, edge: "first" };
  if (to) request.params[to.dataset.param] = { relative: period, edge: "last" };
}

function periodOf(item) {
  return Object.values(item.request.params ?? {}).find((value) => value?.relative)?.relative;
}

/** A saved request as the task that it makes today. */
function taskOf({ request, params_now: now }) {
  const params = Object.entries(now ?? request.params ?? {}).filter(([, value]) => !value?.relative);
  return { ...request, params: Object.fromEntries(params), filename_pattern: request.filename };
}

function lineOf(item, plan, act) {
  const line = document.getElementById("saved-template").content.firstElementChild.cloneNode(true);
  const slot = (name) => line.querySelector(`[data-slot="${name}"]`);
  const button = (name) => line.querySelector(`[data-action="${name}"]`);
  slot("name").textContent = item.name;
  const whose = item.mine ? item.shared && text("saved_shared") : text("saved_of", { owner: item.created_by });
  const period = periodOf(item);
  slot("what").textContent = [
    datasetTitle(item.request.type), text(`format_${item.request.format}`),
    period && textOfPeriod(period), whose,
  ].filter(Boolean).join(" · ");
  if (plan) {
    slot("when").hidden = false;
    slot("when").textContent = whenOf(plan);
  }
  const wrong = problemOf(item, plan);
  slot("problem").hidden = !wrong;
  slot("problem").textContent = wrong;
  button("run").disabled = Boolean(item.problem);
  button("pause").hidden = plan?.state !== "active";
  button("resume").hidden = plan?.state !== "paused";
  button("edit").hidden = !item.editable;
  button("delete").hidden = !item.editable;
  for (const one of line.querySelectorAll("[data-action]")) {
    one.setAttribute("aria-label", text("of_saved", { action: one.textContent.trim(), name: item.name }));
    one.addEventListener("click", () => act(one.dataset.action, one));
  }
  return line;
}

function whenOf(plan) {
  const words = plan.words ?? plan.cron;
  if (plan.state === "paused") return text("schedule_paused", { words });
  return text("schedule_line", { words, time: minutes.format(new Date(plan.next_runs[0].at)) });
}

function problemOf(item, plan) {
  if (item.problem) return `${item.problem.cause} ${item.problem.remedy}`;
  const reason = plan?.paused_reason;
  if (reason) return text("schedule_paused_because", { cause: reason.cause, remedy: reason.remedy });
  const last = plan?.last_run;
  if (!last?.error) return "";
  const said = last.outcome === "skipped" ? "schedule_last_skipped" : "schedule_last_failed";
  return text(said, { cause: last.error.cause });
}

function datasetTitle(name) {
  const options = document.getElementById("dataset").options;
  return [...options].find((option) => option.value === name)?.textContent ?? name;
}

function textOfPeriod(period) {
  const option = document.querySelector(`#saved-period option[value="${CSS.escape(period)}"]`);
  return option?.textContent ?? period;
}
