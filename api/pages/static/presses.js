// What would move a button away is drawn after the press that is going on.

let isDown = false;
const waiting = new Set();

document.addEventListener("pointerdown", () => { isDown = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => {
    isDown = false;
    // The click comes right after.
    setTimeout(() => {
      for (const run of waiting) run();
      waiting.clear();
    });
  }, true);
}

/** Call `run` now, or once the pointer that is down has clicked. */
export function afterPress(run) {
  if (isDown) waiting.add(run);
  else run();
}
