// The view of the list as a part of the address, so that it can be shared, reloaded and gone back to.

const FILTERS = ["q", "status", "type"];
// The address `?type=…` opens the form filled in, see form_link.js. Parameters may have any name.
const NAMES = { q: "q", status: "status", type: "dataset" };

/** The view in the address. Missing and invalid values take their defaults. */
export function readView() {
  const search = new URLSearchParams(location.search);
  const query = search.has("type") ? new URLSearchParams() : search;
  const view = { page: Math.max(1, Math.floor(Number(query.get("page"))) || 1) };
  for (const name of FILTERS) view[name] = query.get(NAMES[name]) ?? "";
  return view;
}

/** Write `view` to the address, as a new history entry or in place of the current one. */
export function writeView(view, { replace = false } = {}) {
  const query = new URLSearchParams();
  for (const name of FILTERS) if (view[name]) query.set(NAMES[name], view[name]);
  if (view.page > 1) query.set("page", view.page);
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
}

export const isNarrowed = (view) => FILTERS.some((name) => view[name]);
