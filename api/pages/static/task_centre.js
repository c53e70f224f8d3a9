// The task centre: the form starts exports, and the list shows their progress.

import { cancelTask, deleteTask, retryTask } from "./calls.js";
import { Bell } from "./bell.js";
import { wireEstimate } from "./estimate.js";
import { wireForm } from "./export_form.js";
import { fillFromLink } from "./form_link.js";
import { Finishes } from "./finishes.js";
import { forgetOffline, tell, tellFailure } from "./notice.js";
import { TaskList } from "./task_list.js";
import { copyLink, showLinks } from "./task_links.js";
import { text } from "./texts.js";
import { Watcher } from "./watcher.js";

function started(task, { twice = false } = {}) {
  const said = twice ? "started_once" : task.deduplicated ? "already_running" : "started";
  tell(text(said, { filename: task.filename }));
  list.show({ q: "", status: "", type: "", page: 1 });
  watcher.acted();
  // On a phone the list is below the form.
  document.getElementById("list-title").scrollIntoView({ block: "nearest" });
}

const actions = {
  details: (task, _button, card) => showLinks(task, card),
  copy: (task, _button, card) => copyLink(task, card),
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
  saw: (task) => finishes.saw(task),
});

const form = document.getElementById("new-export");
if (form) {
  wireForm(form, { started, failed: tellFailure });
  const hint = fillFromLink(form, new URLSearchParams(location.search));
  if (hint) tell(hint, { lasting: true });
  wireEstimate(form);
}
watcher.look();
bell.look();
