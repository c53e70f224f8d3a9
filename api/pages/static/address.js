// The view of the list as a part of the address, so that it can be shared, reloaded and gone back to.

const FILTERS = ["q", "status", "type", "period"];
// `task` shows one export, and `sort` is an order: neither narrows a list.
const ALL = [...FILTERS, "sort", "task"];
// The address `?type=…` opens the form filled in, see form_link.js. Parameters may have any name.
const NAMES = { q: "q", status: "status", type: "dataset", period: "period", sort: "sort", task: "task" };

/** The whole list, as it is at first. */
export const WHOLE = { q: "", status: "", type: "", period: "", sort: "", task: "", page: 1 };

/** The view in the address. Missing and invalid values take their defaults. */
export function readView() {
  const search = new URLSearchParams(location.search);
  const query = search.has("type") ? new URLSearchParams() : search;
  const view = { page: Math.max(1, Math.floor(Number(query.get("page"))) || 1) };
  for (const name of ALL) view[name] = query.get(NAMES[name]) ?? "";
  return view;
}

/** Write `view` to the address, as a new history entry or in place of the current one. */
export function writeView(view, { replace = false } = {}) {
  const query = new URLSearchParams();
  for (const name of ALL) if (view[name]) query.set(NAMES[name], view[name]);
  if (view.page > 1) query.set("page", view.page);
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
}

export const isNarrowed = (view) => FILTERS.some((name) => view[name]);
