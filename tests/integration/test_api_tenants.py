"""R1: what belongs to somebody else does not exist, on whatever route one asks."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.api.app import create_app
from waybill.infra.tasks.queries.scope import ALL_TENANTS

#: Every route that names a task. `test_r1_no_route_is_left_out` fails for one missing here.
TASK_ROUTES = [
    ("GET", "/api/export-tasks/{task_id}"),
    ("GET", "/api/export-tasks/{task_id}/download"),
    ("GET", "/api/export-tasks/{task_id}/files"),
    ("GET", "/api/export-tasks/{task_id}/events"),
    ("POST", "/api/export-tasks/{task_id}/cancel"),
    ("POST", "/api/export-tasks/{task_id}/retry"),
    ("POST", "/api/export-tasks/{task_id}/run-again"),
    ("DELETE", "/api/export-tasks/{task_id}"),
    ("POST", "/api/export-tasks/{task_id}/links"),
    ("GET", "/api/export-tasks/{task_id}/links"),
    ("DELETE", "/api/export-tasks/{task_id}/links/{link_id}"),
    ("GET", "/api/export-tasks/{task_id}/notifications"),
    *(("POST", f"/api/export-tasks/{{task_id}}/{verb}") for verb in ("approve", "decline")),
]
#: Routes that name a saved export or a schedule; `test_r1_what_people_repeat…` walks them.
REPEATED_ROUTES = [
    *((method, "/api/saved-exports/{saved_export_id}") for method in ("GET", "PATCH", "DELETE")),
    ("POST", "/api/saved-exports/{saved_export_id}/run"),
    *((method, "/api/schedules/{schedule_id}") for method in ("GET", "PATCH", "DELETE")),
    *(("POST", f"/api/schedules/{{schedule_id}}/{verb}") for verb in ("pause", "resume", "run")),
]
#: Named by a secret instead of by a task; test_api_links.py tries them as another tenant.
LINK_ROUTES = [("GET", "/d/{token}"), ("POST", "/d/{token}")]
#: Named by a dataset; test_api_column_rights.py tries them as another tenant and in other roles.
DATASET_ROUTES = [
    ("GET", "/api/datasets/{name}/preview"),
    ("POST", "/api/datasets/{name}/preview"),
    ("GET", "/api/datasets/{name}/choices/{param}"),
]

#: Routes that anybody may call, and routes that show only what the caller owns or may do.
OPEN_ROUTES = {"/healthz", "/readyz", "/metrics"}
OWN_ROUTES = {
    TASKS,
    f"{TASKS}/estimate",
    f"{TASKS}/events",
    f"{TASKS}/queue",
    "/api/approvals",
    "/api/datasets",
    "/api/notices",
    "/api/notices/read",
    "/api/saved-exports",
    "/api/schedules",
    "/api/schedules/preview",
    "/api/shared-files",
}
#: Routes for the role `admin`, who sees all tenants; test_api_admin.py tries them without it.
ADMIN = "/api/admin/"


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    ]


def test_r1_no_route_is_left_out(api: TaskApi) -> None:
    routes = [item for item in routes_of(create_app(api.services)) if ADMIN not in item[1]]

    named = TASK_ROUTES + LINK_ROUTES + REPEATED_ROUTES + DATASET_ROUTES
    assert sorted(item for item in routes if "{" in item[1]) == sorted(named)
    assert {path for _, path in routes if "{" not in path} == OPEN_ROUTES | OWN_ROUTES


def visible(answer: httpx2.Response) -> tuple[int, dict[str, object], set[str]]:
    """What a stranger can tell two answers apart by, without the id of the request."""
    problem = answer.json()
    problem.pop("request_id")
    return answer.status_code, problem, set(answer.headers)


@pytest.mark.parametrize(("method", "path"), TASK_ROUTES)
@pytest.mark.parametrize(
    "stranger", ["another tenant", "a colleague", "an admin of another tenant"]
)
def test_r1_a_task_of_somebody_else_is_a_task_that_never_was(
    api: TaskApi, method: str, path: str, stranger: str
) -> None:
    tenant = api.tenant()
    owner = api.person(tenant)
    task = ask(owner)
    api.finish(task)
    other = {
        "another tenant": lambda: api.person(),
        "a colleague": lambda: api.person(tenant, user="bob"),
        "an admin of another tenant": lambda: api.person(roles=("admin",)),
    }[stranger]()
    link = owner.post(f"{TASKS}/{task['id']}/links", json={}).json()
    before = owner.get(f"{TASKS}/{task['id']}").json()
    # A body where one is asked for.
    takes_body = path.endswith(("/links", "/approve", "/decline"))
    body = {} if method == "POST" and takes_body else None

    answer = other.request(method, path.format(task_id=task["id"], link_id=link["id"]), json=body)
    unknown = other.request(method, path.format(task_id=uuid4(), link_id=uuid4()), json=body)

    assert visible(answer) == visible(unknown)
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
    assert owner.get(f"{TASKS}/{task['id']}").json() == before
    [kept] = owner.get(f"{TASKS}/{task['id']}/links").json()["items"]
    assert kept["revoked_at"] is None
    assert [item["code"] for item in refusals_of(api, task)] == ["task_not_found"]


@pytest.mark.parametrize(("method", "path"), REPEATED_ROUTES)
@pytest.mark.parametrize(
    ("stranger", "roles"),
    [
        ("another tenant", ("sales",)),
        ("another tenant", ("admin", "sales")),
        ("another tenant", ("waybill-operator", "sales")),
        ("a colleague", ("sales",)),
    ],
)
def test_r1_what_people_repeat_is_nobody_elses(
    api: TaskApi, method: str, path: str, stranger: str, roles: tuple[str, ...]
) -> None:
    tenant = api.tenant()
    owner = api.person(tenant)
    request = {"type": "orders", "format": "xlsx", "params": {}}
    saved = owner.post("/api/saved-exports", json={"name": "x", "request": request}).json()
    plan = {"saved_export_id": saved["id"], "cron": "0 8 * * 1", "timezone": "UTC"}
    planned = owner.post("/api/schedules", json=plan).json()
    # What is shared is shared with the tenant, and with nobody else.
    shared = owner.patch(
        f"/api/saved-exports/{saved['id']}", json={"shared": stranger != "a colleague"}
    ).json()
    other = api.person(tenant if stranger == "a colleague" else None, "bob", roles)
    body = {} if method == "PATCH" else None

    answer = other.request(
        method, path.format(saved_export_id=saved["id"], schedule_id=planned["id"]), json=body
    )
    unknown = other.request(
        method, path.format(saved_export_id=uuid4(), schedule_id=uuid4()), json=body
    )

    assert visible(answer) == visible(unknown)
    assert answer.status_code == 404
    assert owner.get(f"/api/saved-exports/{saved['id']}").json() == shared
    assert owner.get(f"/api/schedules/{planned['id']}").json() == planned
    use = {**plan, "cron": "0 9 * * 1"}
    assert other.post("/api/schedules", json=use).status_code == 404
    for collection in ("/api/saved-exports", "/api/schedules"):
        assert other.get(collection).json()["items"] == []


def refusals_of(api: TaskApi, task: dict[str, Any]) -> list[dict[str, Any]]:
    """What the audit log says about refused attempts at a task. Written after the answer."""
    entries = wait_for(
        lambda: api.services.admin_queries.audit(
            ALL_TENANTS, task_id=UUID(task["id"]), action="refused"
        )
    )
    return [entry.detail or {} for entry in entries]


def test_r1_the_same_name_in_two_tenants_is_two_people(api: TaskApi) -> None:
    first, second = api.person(api.tenant(), "ana"), api.person(api.tenant(), "ana")
    task = ask(first)

    twin = ask(second)

    assert twin["id"] != task["id"]
    assert [item["id"] for item in second.get(TASKS).json()["items"]] == [twin["id"]]
    assert second.get(f"{TASKS}/{task['id']}").status_code == 404


def test_r1_an_idempotency_key_of_somebody_else_is_free(api: TaskApi) -> None:
    request = {"type": "orders", "format": "csv", "params": {}}
    headers = {"Idempotency-Key": "a-key-both-use"}

    answers = [api.person().post(TASKS, json=request, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]


def test_a_dataset_is_listed_for_those_who_may_export_it(api: TaskApi) -> None:
    def names(*roles: str) -> list[str]:
        body = api.person(roles=roles).get("/api/datasets").json()
        return [item["name"] for item in body["items"]]

    assert names("sales") == ["orders"]
    assert names("finance", "sales") == ["closing", "ledger", "orders"]
    assert names("admin") == names("waybill-operator") == []
    assert names() == []


def test_a_dataset_is_described_by_the_schema_of_its_parameters(api: TaskApi) -> None:
    [orders] = api.person().get("/api/datasets").json()["items"]

    assert orders["title"] == "Orders"
    assert orders["formats"] == [
        "xlsx", "csv", "csv.gz", "csv.zip", "xlsx.zip", "jsonl.gz", "parquet"
    ]  # fmt: skip
    assert orders["params_schema"]["properties"]["city"]["title"] == "City"
