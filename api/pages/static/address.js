// What the list shows is in the address bar: it can be sent, reloaded, and gone back to.

const FILTERS = ["q", "status", "type"];

/** The view that the address asks for; what it does not say, or says wrongly, is left out. */
export function readView() {
  const query = new URLSearchParams(location.search);
  const view = { page: Math.max(1, Math.floor(Number(query.get("page"))) || 1) };
  for (const name of FILTERS) view[name] = query.get(name) ?? "";
  return view;
}

/** Put `view` into the address; as a new step of the history, or in place of the last one. */
export function writeView(view, { replace = false } = {}) {
  const query = new URLSearchParams();
  for (const name of FILTERS) if (view[name]) query.set(name, view[name]);
  if (view.page > 1) query.set("page", view.page);
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
}

export const isNarrowed = (view) => FILTERS.some((name) => view[name]);
