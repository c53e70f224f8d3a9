// The password of a file: asked for in the form, and shown once when the export has started.

import { asksFor } from "./dataset_texts.js";
import { text } from "./texts.js";

/** Wire the checkbox of `form`. Where the dataset wants a password, it is ticked and stays so. */
export function wirePassword(form) {
  const box = form.elements.password;
  const help = document.getElementById("password-help");
  let chosen = false;

  function show() {
    if (!box.disabled) chosen = box.checked;
    const { password } = asksFor(form.elements.type.value);
    box.disabled = password;
    box.checked = password || chosen;
    help.textContent = text(password ? "password_always" : "password_help");
  }

  function choose(wanted) {
    chosen = Boolean(wanted);
    if (!box.disabled) box.checked = chosen;
  }

  form.addEventListener("datasetshow", show);
  form.addEventListener("fillfromtask", ({ detail }) => choose(detail.protected));
  // What a disabled box shows is the dataset's word, and not that of its reader.
  form.addEventListener("draftsave", ({ detail }) => { detail.password = box.disabled ? chosen : box.checked; });
  form.addEventListener("draftrestore", ({ detail }) => choose(detail.password));
  form.addEventListener("collect", ({ detail: { request } }) => {
    if (box.checked) request.password = true;
  });
  show();
}

/** Show the password of a task that was just started, until its reader says that it is noted. */
export function showPassword({ filename, password }) {
  const dialog = document.getElementById("password-dialog");
  if (!password || dialog.open) return;
  const place = dialog.querySelector("[data-password]");
  const copy = dialog.querySelector("[data-copy]");
  dialog.querySelector("[data-filename]").textContent = filename;
  place.textContent = password;
  copy.textContent = text("password_copy");
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(password);
      copy.textContent = text("password_copied");
    } catch {
      // No permission, or plain HTTP, where there is no clipboard.
      getSelection().selectAllChildren(place);
      copy.textContent = text("password_by_hand");
    }
  };
  // Escape would take it away for good; pressed twice, it closes a dialog without asking.
  dialog.oncancel = (event) => event.preventDefault();
  dialog.onkeydown = (event) => {
    if (event.key === "Escape") event.preventDefault();
  };
  dialog.onclose = () => { place.textContent = ""; };
  dialog.showModal();
  copy.focus();
}
