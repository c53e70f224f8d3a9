// The operators' pages: times in the reader's time zone, and an overview that refreshes itself.

const REFRESH_MS = 10_000;
const moments = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium", timeStyle: "medium",
});

function localise(root) {
  for (const time of root.querySelectorAll("time")) {
    time.textContent = moments.format(new Date(time.dateTime));
  }
}

/** Fetch this page again and replace the part that changes. Open details stay open. */
async function refresh() {
  const shown = document.querySelector("[data-refresh]");
  // The page is hidden, or the focus is in the part to be replaced.
  if (document.hidden || shown.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(REFRESH_MS) });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-refresh]");
    if (!fresh) return location.reload();
    localise(fresh);
    for (const { id } of shown.querySelectorAll("details[open]")) {
      const again = fresh.querySelector(`#${id}`);
      if (again) again.open = true;
    }
    shown.replaceWith(fresh);
  } catch {
    // The next refresh may succeed.
  }
}

localise(document);
if (document.querySelector("[data-refresh]")) setInterval(refresh, REFRESH_MS);
