// The time left of a running export as it is shown: it counts down, and never jumps.

const shown = new Map();

/** Seconds left of `task`, or null. From one call to the next it changes by twice the time at most. */
export function secondsLeft(task, now = Date.now()) {
  const eta = task.progress.eta_seconds;
  if (task.status !== "PROCESSING" || eta === null) {
    shown.delete(task.id);
    return null;
  }
  const last = shown.get(task.id);
  const isNews = last?.version !== task.updated_at;
  const heard = isNews ? now : last.heard;
  const target = Math.max(0, eta - (now - heard) / 1000);
  const most = last ? (2 * (now - last.at)) / 1000 : Infinity;
  const seconds = last ? Math.min(last.seconds + most, Math.max(last.seconds - most, target)) : target;
  shown.set(task.id, { version: task.updated_at, heard, at: now, seconds });
  return seconds;
}
