// The reason for an export, where its dataset asks, and the hint that somebody has to approve it.

import { asksFor } from "./dataset_texts.js";
import { clearFieldProblem } from "./field_problems.js";
import { text } from "./texts.js";

/** Wire the field of `form`. It is there for the datasets that ask for a reason or an approval. */
export function wireReason(form) {
  const field = form.elements.reason;
  const row = document.getElementById("reason-row");

  function show() {
    const { reason, approval, watermark } = asksFor(form.elements.type.value);
    row.hidden = !reason && !approval;
    field.setAttribute("aria-required", String(reason));
    row.querySelector(".optional").hidden = reason;
    document.getElementById("approval-hint").hidden = !approval;
    document.getElementById("watermark-hint").hidden = !watermark;
  }

  form.addEventListener("datasetshow", show);
  form.addEventListener("fillfromtask", ({ detail: { reason } }) => {
    field.value = reason ?? "";
    show();
  });
  field.addEventListener("input", () => clearFieldProblem(field));
  form.addEventListener("collect", ({ detail: { request, wrong } }) => {
    if (row.hidden) return;
    const value = field.value.trim();
    if (value) request.reason = value;
    else if (asksFor(request.type).reason) wrong(field, text("bad_required"));
  });
  show();
}
