// The task centre: the form starts exports, the list shows how they go.

import { cancelTask, deleteTask, Refused, retryTask, Unreachable } from "./calls.js";
import { wireForm } from "./export_form.js";
import { TaskList } from "./task_list.js";
import { text } from "./texts.js";

const notice = document.getElementById("notice");
const NOTICE_MS = 8_000;
let noticeTimer = null;

function tell(message, { kind = "", lasting = false, signIn = false } = {}) {
  clearTimeout(noticeTimer);
  notice.querySelector("span").textContent = message;
  notice.querySelector("a").hidden = !signIn;
  notice.dataset.kind = kind;
  notice.hidden = false;
  if (!lasting) noticeTimer = setTimeout(() => { notice.hidden = true; }, NOTICE_MS);
}

/** Say what went wrong; true when trying again by itself makes sense. */
function failed(error, waitSeconds = null) {
  if (error instanceof Refused && error.status === 401) {
    tell(text("session_over"), { kind: "problem", lasting: true, signIn: true });
    return false;
  }
  if (error instanceof Refused) {
    tell(text("failed_request", { detail: error.message, code: error.code }), { kind: "problem" });
    return error.status >= 500;
  }
  if (!(error instanceof Unreachable)) throw error;
  const seconds = waitSeconds ?? "…";
  tell(text("offline", { seconds }), { kind: "offline", lasting: true });
  return true;
}

function started(task) {
  tell(text(task.deduplicated ? "already_running" : "started", { filename: task.filename }));
  list.show(1);
  // On a phone the list lies below the form.
  document.getElementById("list-title").scrollIntoView({ block: "nearest" });
}

const actions = {
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
    list.look();
  },
  retry: async (task) => started(await retryTask(task.id)),
  delete: async (task) => {
    await deleteTask(task.id);
    list.look();
  },
};

const list = new TaskList(document, {
  act: async (action, task, button) => {
    try {
      await actions[action](task, button);
    } catch (error) {
      failed(error);
    }
  },
  failed,
  worked: () => {
    if (notice.dataset.kind === "offline") notice.hidden = true;
  },
});

const form = document.getElementById("new-export");
if (form) wireForm(form, { started, failed });
list.look();
