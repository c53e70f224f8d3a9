// Calls of the API. The session cookie goes along by itself; no token is ever seen here.

/** The API refused: `detail` is for a person, `code` for support, `errors` for the fields. */
export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail);
    this.status = status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
  }
}

/** Nobody answered, or something that is not our API. */
export class Unreachable extends Error {}

const TIMEOUT_MS = 20_000;

export async function call(method, path, body) {
  const options = { method, headers: {}, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response, answer;
  try {
    response = await fetch(path, options);
    answer = response.status === 204 ? null : await response.json();
  } catch (error) {
    throw new Unreachable(error.message);
  }
  if (response.ok) return answer;
  if (answer?.code) throw new Refused(answer, response.status);
  throw new Unreachable(String(response.status));
}

const TASKS = "/api/export-tasks";

export const listTasks = (page, size) => call("GET", `${TASKS}?page=${page}&page_size=${size}`);
export const startExport = (request) => call("POST", TASKS, request);
export const cancelTask = (id) => call("POST", `${TASKS}/${id}/cancel`);
export const retryTask = (id) => call("POST", `${TASKS}/${id}/retry`);
export const deleteTask = (id) => call("DELETE", `${TASKS}/${id}`);
export const downloadPath = (id) => `${TASKS}/${id}/download`;
