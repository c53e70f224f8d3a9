// API calls. The browser sends the session cookie; scripts never see the token.

/**
 * The API refused the request. The message is for people, `code` for support, `errors` for fields.
 * `retryAfter` are the seconds after which the request may succeed, or 0.
 */
export class Refused extends Error {
  constructor(problem, status, retryAfter = 0) {
    super(problem.detail);
    this.status = status;
    this.retryAfter = retryAfter;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
  }
}

/** There was no answer, or not one of our API. */
export class Unreachable extends Error {}

const TIMEOUT_MS = 20_000;

/** The path under which a proxy serves the page, such as "/waybill"; usually empty. */
export const BASE = document.documentElement.dataset.base;

async function call(method, path, body, { signal = AbortSignal.timeout(TIMEOUT_MS), headers = {}, read = json } = {}) {
  // The language of the page, which can differ from the browser's.
  const options = { method, headers: { "Accept-Language": document.documentElement.lang, ...headers }, signal };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response, answer;
  try {
    response = await fetch(BASE + path, options);
    answer = response.status === 204 ? null : await read(response);
  } catch (error) {
    throw new Unreachable(error.message);
  }
  if (response.ok) return answer;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  if (answer?.code) throw new Refused(answer, response.status, retryAfter);
  throw new Unreachable(String(response.status));
}

const json = (response) => response.json();

/** As `json`, with integers that JavaScript cannot hold as their digits, where the browser tells them. */
async function exactJson(response) {
  return JSON.parse(await response.text(), (_key, value, context) => {
    const isCut = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
    return isCut && context?.source ? context.source : value;
  });
}

const keyed = (key) => ({ headers: { "Idempotency-Key": key } });

const TASKS = "/api/export-tasks";
const DAY_MS = 24 * 60 * 60 * 1000;
const PERIODS = { today: 0, week: 6, month: 29 };

/** The start of the day `days` ago, in the reader's time zone. */
function startOfDay(days) {
  const start = new Date(Date.now() - days * DAY_MS);
  start.setHours(0, 0, 0, 0);
  return start.toISOString();
}

/** One page of the list for `view`; see address.js. */
export function listTasks(view, size) {
  const query = new URLSearchParams({ page: view.page, page_size: size });
  for (const name of ["q", "status", "type", "sort"]) if (view[name]) query.set(name, view[name]);
  if (view.period in PERIODS) query.set("created_from", startOfDay(PERIODS[view.period]));
  return call("GET", `${TASKS}?${query}`);
}

export const startExport = (request, key) => call("POST", TASKS, request, keyed(key));
export const runAgain = (id, key) => call("POST", `${TASKS}/${id}/run-again`, undefined, keyed(key));
export const getTask = (id) => call("GET", `${TASKS}/${encodeURIComponent(id)}`, undefined, { read: exactJson });
export const listPlaces = () => call("GET", `${TASKS}/queue`);
export const signedLink = (id) => call("GET", `${TASKS}/${id}/download`, undefined, { headers: { Accept: "application/json" } });
export const estimate = (request, signal) => call("POST", `${TASKS}/estimate`, request, { signal });
export const preview = (dataset, body, signal) => call("POST", `/api/datasets/${encodeURIComponent(dataset)}/preview`, body, { signal });
export const listChoices = (dataset, param, q, signal) => call(
  "GET",
  `/api/datasets/${encodeURIComponent(dataset)}/choices/${encodeURIComponent(param)}${q ? `?${new URLSearchParams({ q })}` : ""}`,
  undefined,
  { signal },
);
export const cancelTask = (id) => call("POST", `${TASKS}/${id}/cancel`);
export const retryTask = (id) => call("POST", `${TASKS}/${id}/retry`);
export const deleteTask = (id) => call("DELETE", `${TASKS}/${id}`);
export const downloadPath = (id) => `${BASE}${TASKS}/${id}/download`;
export const listFiles = (id) => call("GET", `${TASKS}/${id}/files`);
export const listLinks = (id) => call("GET", `${TASKS}/${id}/links`);
export const makeLink = (id, limits) => call("POST", `${TASKS}/${id}/links`, limits);
export const revokeLink = (id, link) => call("DELETE", `${TASKS}/${id}/links/${link}`);
export const listSharedFiles = () => call("GET", "/api/shared-files");
export const listApprovals = () => call("GET", "/api/approvals");
export const answerApproval = (id, verb, body) => call("POST", `${TASKS}/${id}/${verb}`, body);
export const listNotices = () => call("GET", "/api/notices?limit=10");
export const readNotices = (upTo) => call("POST", "/api/notices/read", { up_to: upTo });
const SAVED = "/api/saved-exports";
const SCHEDULES = "/api/schedules";
export const listSaved = () => call("GET", `${SAVED}?limit=100`);
export const getSaved = (id) => call("GET", `${SAVED}/${encodeURIComponent(id)}`);
export const saveExport = (body) => call("POST", SAVED, body);
export const changeSaved = (id, body) => call("PATCH", `${SAVED}/${id}`, body);
export const deleteSaved = (id) => call("DELETE", `${SAVED}/${id}`);
export const runSaved = (id) => call("POST", `${SAVED}/${id}/run`);
export const listSchedules = () => call("GET", `${SCHEDULES}?limit=100`);
export const previewSchedule = (body) => call("POST", `${SCHEDULES}/preview`, body);
export const makeSchedule = (body) => call("POST", SCHEDULES, body);
export const changeSchedule = (id, body) => call("PATCH", `${SCHEDULES}/${id}`, body);
export const pauseSchedule = (id) => call("POST", `${SCHEDULES}/${id}/pause`);
export const resumeSchedule = (id) => call("POST", `${SCHEDULES}/${id}/resume`);
export const getSchedule = (id) => call("GET", `${SCHEDULES}/${encodeURIComponent(id)}`);
export const deleteSchedule = (id) => call("DELETE", `${SCHEDULES}/${id}`);
export const EVENTS_PATH = `${BASE}${TASKS}/events`;
