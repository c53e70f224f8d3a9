// What a page of somebody else's would write. Every line marked as an error has to be one.
import type { components, paths } from "./api";

type Task = components["schemas"]["TaskBody"];
type Submit = paths["/api/export-tasks"]["post"];
type Events = paths["/api/export-tasks/{task_id}/events"]["get"];

const request: Submit["requestBody"]["content"]["application/json"] = {
  type: "orders",
  format: "xlsx",
  params: { city: "Berlin" },
};

// @ts-expect-error: a format is needed
const incomplete: Submit["requestBody"]["content"]["application/json"] = { type: "orders" };

export async function submit(token: string): Promise<Task> {
  const answer = await fetch("/api/export-tasks", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(request ?? incomplete),
  });
  if (answer.ok) {
    const task: Submit["responses"][202]["content"]["application/json"] = await answer.json();
    const known: boolean = task.deduplicated;
    return known ? task : task;
  }
  const problem: Submit["responses"][422]["content"]["application/problem+json"] =
    await answer.json();
  throw new Error(`${problem.code}: ${problem.detail}`);
}

export function watch(id: Events["parameters"]["path"]["task_id"], show: (text: string) => void) {
  const source = new EventSource(`/api/export-tasks/${id}/events`);
  source.addEventListener("task", (event) => {
    const line: Events["responses"][200]["content"]["text/event-stream"] = event.data;
    const task: Task = JSON.parse(line);
    if (task.status === "SUCCESS") {
      const rows: number | null = task.rows;
      show(`${rows} rows`);
      source.close();
    } else if (task.last_error) {
      show(task.last_error.message);
    }
    // @ts-expect-error: there is no such state
    if (task.status === "DONE") show("never");
    // @ts-expect-error: nobody can say yet how many rows there are
    const total: number = task.progress.rows_total;
    show(`${total}`);
  });
}
