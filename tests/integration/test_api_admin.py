"""The admin routes: for the role `admin` alone, over all tenants, and without anybody's link."""

from __future__ import annotations

import pytest

from infra.broker.port import WakeUp
from tests.servers.task_api import TASKS, TaskApi, ask

ROUTES = [
    ("GET", "/api/admin/export-tasks"),
    ("GET", "/api/admin/dead-letters"),
    ("GET", "/api/admin/dead-letters/1"),
    ("POST", "/api/admin/dead-letters/1/replay"),
    ("GET", "/api/admin/audit-log"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_role_every_admin_route_is_refused(api: TaskApi, method: str, path: str):
    answer = api.person(roles=("sales",)).request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_an_admin_sees_tasks_of_all_tenants_but_no_link(api: TaskApi):
    tenant = api.tenant()
    task = ask(api.person(tenant))
    api.finish(task)
    admin = api.person(roles=("admin",))

    [found] = admin.get("/api/admin/export-tasks", params={"tenant": tenant}).json()["items"]

    assert (found["id"], found["tenant"], found["status"]) == (task["id"], tenant, "SUCCESS")
    assert found["download_url"] is None
    assert admin.get(f"{TASKS}/{task['id']}").status_code == 404


def test_the_audit_log_is_read_by_filter_and_part(api: TaskApi):
    tenant = api.tenant()
    owner = api.person(tenant)
    task = ask(owner)
    owner.post(f"{TASKS}/{task['id']}/cancel")
    admin = api.person(roles=("admin",))

    def entries(**query: object) -> dict:
        return admin.get("/api/admin/audit-log", params={"tenant": tenant, **query}).json()

    newest = entries(limit=1)
    older = entries(limit=1, before=newest["next"])
    assert [item["action"] for item in (*newest["items"], *older["items"])] == ["cancel", "submit"]
    assert [item["action"] for item in entries(action="submit")["items"]] == ["submit"]
    assert entries(task_id=task["id"], actor="nobody")["items"] == []


def test_r33_a_dead_letter_is_replayed_once_and_in_its_owners_name(api: TaskApi):
    owner = api.person()
    task = ask(owner)
    claim = api.begin(task)
    api.runs.fail(claim, code="broken", message="Broken.", retry_in=None)
    api.services.dead_letters.record(WakeUp(claim.task.id, 2, "dead").encode(), "q", "broken: x")
    admin = api.person(roles=("admin",))
    letters = admin.get("/api/admin/dead-letters").json()["items"]
    [letter] = [item for item in letters if item["task_id"] == task["id"]]
    path = f"/api/admin/dead-letters/{letter['id']}"

    replays = [admin.post(f"{path}/replay").json() for _ in range(2)]

    assert [item["outcome"] for item in replays] == ["replayed", "already_replayed"]
    assert owner.get(f"{TASKS}/{replays[0]['task_id']}").json()["status"] == "PENDING"
    assert admin.get(path).json()["replay_task_id"] == replays[0]["task_id"]


@pytest.mark.parametrize("letter_id", [2**62, 2**64, 0, "x"])
def test_an_unknown_dead_letter_is_a_problem_and_no_fault(api: TaskApi, letter_id: object):
    answer = api.person(roles=("admin",)).get(f"/api/admin/dead-letters/{letter_id}")

    assert answer.status_code == (404 if letter_id == 2**62 else 422)
