// The task centre: the form starts exports, and the list shows their progress.

import { WHOLE } from "./address.js";
import { wireApprovals } from "./approvals.js";
import { cancelTask, deleteTask, getTask, retryTask, runAgain } from "./calls.js";
import { Bell } from "./bell.js";
import { wireChoice } from "./choice_dialog.js";
import { wireCsvOptions } from "./csv_options.js";
import { wireDataChoices } from "./data_choices.js";
import { wireRanges } from "./date_ranges.js";
import { wireEstimate } from "./estimate.js";
import { wireForm } from "./export_form.js";
import { wireChecks } from "./field_checks.js";
import { FormDraft } from "./form_draft.js";
import { FormFold } from "./form_fold.js";
import { fillFromLink } from "./form_link.js";
import { fillFromTask } from "./form_task.js";
import { showPassword, wirePassword } from "./file_password.js";
import { wireLists } from "./id_lists.js";
import { Finishes } from "./finishes.js";
import { forgetOffline, tell, tellFailure, wireNotice } from "./notice.js";
import { Once } from "./once.js";
import { wireReason } from "./reason_field.js";
import { wireSaved } from "./saved_exports.js";
import { showFiles } from "./set_files.js";
import { showShared } from "./shared_files.js";
import { TaskList } from "./task_list.js";
import { copyLink, mailLink, sendLink, showLinks } from "./task_links.js";
import { text } from "./texts.js";
import { Watcher } from "./watcher.js";

const form = document.getElementById("new-export");
const again = new Once();

/** Say that an export was started, and show it. `asked` is the file name that was asked for. */
function started(task, { twice = false, asked = "" } = {}) {
  tell(text(saidOf(task, twice, asked), { filename: task.filename }), { task });
  showPassword(task);
  draft?.forget();
  fold?.close();
  list.show(WHOLE);
  watcher.acted();
  // On a phone the list is below the form.
  document.getElementById("list-title").scrollIntoView({ block: "nearest" });
}

function saidOf(task, twice, asked) {
  if (task.deduplicated && task.protected) return "password_gone";
  if (twice) return "started_once";
  if (task.deduplicated) return task.status === "SUCCESS" ? "still_fresh" : "already_running";
  // Characters that no file name may have were replaced.
  const isRenamed = asked && !asked.includes("{") && !task.filename.startsWith(asked);
  return isRenamed ? "started_renamed" : "started";
}

/** Open the form with the request of an export. */
async function change(id) {
  const hint = fillFromTask(form, await getTask(id));
  fold.open({ focus: true });
  tell(hint || text("changing"));
}

const actions = {
  again: async (task) => {
    const { answer, first, twice } = await again.run(task.id, (key) => runAgain(task.id, key));
    if (first || !answer.deduplicated) started(answer, { twice: twice && !answer.deduplicated });
  },
  change: (task) => change(task.id),
  details: (task, _button, card) => Promise.all([showFiles(task, card), showLinks(task, card)]),
  copy: (task, _button, card) => copyLink(task, card),
  mail: (task, _button, card) => mailLink(task, card),
  send: (task, _button, card) => sendLink(task, card),
  cancel: async (task, button) => {
    button.disabled = true;
    button.textContent = text("cancelling");
    try {
      await cancelTask(task.id);
    } catch (error) {
      button.disabled = false;
      button.textContent = text("cancel");
      throw error;
    }
    watcher.acted();
  },
  retry: async (task) => started(await retryTask(task.id)),
  delete: async (task) => {
    await deleteTask(task.id);
    document.getElementById("list-title").focus();
    watcher.acted();
  },
};

const list = new TaskList(document, {
  act: async (action, task, button, card) => {
    try {
      await actions[action](task, button, card);
    } catch (error) {
      tellFailure(error);
    }
  },
  changed: () => watcher.look(),
});

const bell = new Bell(document.getElementById("bell"));
const finishes = new Finishes(tell, () => bell.look());
const watcher = new Watcher(list, {
  failed: tellFailure,
  worked: forgetOffline,
  saw: (task) => {
    fold?.exports(true);
    return finishes.saw(task);
  },
});

wireNotice((task) => list.show({ ...WHOLE, task }));
wireDensity();

// Before the draft, which keeps what they choose.
const choice = form && wireChoice(form);
if (form) for (const wire of [wireCsvOptions, wireLists, wireRanges, wireChecks, wireDataChoices, wireReason, wirePassword]) wire(form);
const draft = form && new FormDraft(form);
const fold = form && new FormFold(form);
if (form) {
  wireForm(form, { started, failed: tellFailure });
  openForm(new URLSearchParams(location.search));
  wireEstimate(form);
}
if (form) wireSaved(form, { started, opened: () => fold.open() });
watcher.look();
bell.look();
showShared();
wireApprovals();

/** What was left in the form comes first, then what the address says. */
function openForm(query) {
  const link = query.has("type") ? location.search : "";
  if (draft.restore(link)) return fold.open();
  if (query.has("change")) return void change(query.get("change")).catch(tellFailure);
  if (!link) return;
  const hint = fillFromLink(form, query, (asked) => choice.fill(asked));
  fold.open();
  if (hint) tell(hint, { lasting: true });
}

/** Rows with or without their second lines, as this browser had them last. */
function wireDensity() {
  const button = document.getElementById("density");
  const show = (compact) => {
    button.setAttribute("aria-pressed", String(compact));
    document.getElementById("tasks").classList.toggle("compact", compact);
  };
  const kept = () => {
    try {
      return localStorage.getItem("waybill density") === "compact";
    } catch {
      return false;
    }
  };
  show(kept());
  button.addEventListener("click", () => {
    const compact = button.getAttribute("aria-pressed") !== "true";
    show(compact);
    try {
      localStorage.setItem("waybill density", compact ? "compact" : "");
    } catch { /* Then it holds for this visit. */ }
  });
}
