"""The admin routes, as an operator uses them: over all tenants, and without anybody's link."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.support.eventually import wait_for
from tests.support.living_worker import living_worker
from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, ask
from waybill.infra.broker.port import WakeUp
from waybill.infra.tasks.queries.scope import ALL_TENANTS

ROUTES = [
    ("GET", "/api/admin/export-tasks"),
    ("GET", f"/api/admin/export-tasks/{UUID(int=1)}"),
    ("POST", f"/api/admin/export-tasks/{UUID(int=1)}/cancel"),
    ("POST", f"/api/admin/export-tasks/{UUID(int=1)}/retry"),
    ("GET", "/api/admin/workers"),
    ("GET", "/api/admin/dead-letters"),
    ("GET", "/api/admin/dead-letters/1"),
    ("POST", "/api/admin/dead-letters/1/replay"),
    ("POST", "/api/admin/dead-letters/1/dismiss"),
    ("GET", "/api/admin/audit-log"),
    ("GET", "/api/admin/notifications"),
    ("GET", "/api/admin/webhook-secrets"),
    ("GET", "/api/admin/queues"),
    ("GET", "/api/admin/leases"),
    ("GET", "/api/admin/statistics"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_role_every_admin_route_is_refused(api: TaskApi, method: str, path: str):
    body = {"note": "x"} if path.endswith("dismiss") else None
    answer = api.person(roles=("sales",)).request(method, path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_an_operator_sees_tasks_of_all_tenants_but_no_link(api: TaskApi):
    tenant = api.tenant()
    task = ask(api.person(tenant))
    api.finish(task)
    admin = api.person(roles=(OPERATOR,))

    [found] = admin.get("/api/admin/export-tasks", params={"tenant": tenant}).json()["items"]

    assert (found["id"], found["tenant"], found["status"]) == (task["id"], tenant, "SUCCESS")
    assert found["download_url"] is None
    assert admin.get(f"{TASKS}/{task['id']}").status_code == 404


def test_the_audit_log_is_read_by_filter_and_part(api: TaskApi):
    tenant = api.tenant()
    owner = api.person(tenant)
    task = ask(owner)
    owner.post(f"{TASKS}/{task['id']}/cancel")
    admin = api.person(roles=(OPERATOR,))

    def entries(**query: object) -> dict:
        return admin.get("/api/admin/audit-log", params={"tenant": tenant, **query}).json()

    newest = entries(limit=1)
    older = entries(limit=1, before=newest["next"])
    assert [item["action"] for item in (*newest["items"], *older["items"])] == ["cancel", "submit"]
    assert [item["action"] for item in entries(action="submit")["items"]] == ["submit"]
    assert entries(task_id=task["id"], actor="nobody")["items"] == []


def test_the_audit_log_is_narrowed_by_time_and_its_parts_do_not_shift(api: TaskApi):
    tenant = api.tenant()
    owner = api.person(tenant)
    # Not an operator, whose reads would be entries of their own.
    admin = api.person(tenant, "ida", roles=("admin",))

    def read(**query: object) -> dict:
        answer = admin.get("/api/admin/audit-log", params={"tenant": tenant, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    for city in ("Berlin", "Rome", "Oslo"):
        ask(owner, params={"city": city})
    third, second, first = read()["items"]

    assert read(since=second["at"])["items"] == [third, second]
    assert read(until=second["at"])["items"] == [first]
    assert read(since=second["at"], until=third["at"])["items"] == [second]

    part = read(limit=2)
    ask(owner, params={"city": "Later"})
    rest = read(limit=2, before=part["next"])
    assert [*part["items"], *rest["items"]] == [third, second, first]
    assert rest["next"] is None


@pytest.mark.parametrize("bad", ["yesterday", "2026-01-01T00:00:00", "9" * 400])
def test_a_time_without_a_zone_is_no_time(api: TaskApi, bad: str):
    answer = api.person(roles=(OPERATOR,)).get("/api/admin/audit-log", params={"since": bad})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_the_log_knows_of_everything_that_people_do(api: TaskApi):
    tenant = api.tenant()
    owner, admin = api.person(tenant), api.person(roles=(OPERATOR,))
    done, failed = ask(owner), ask(owner, params={"city": "Rome"})
    api.finish(done)
    claim = api.begin(failed)
    api.runs.fail(claim, code="stalled", message="Stalled.", retry_in=None)
    link = owner.post(f"{TASKS}/{done['id']}/links", json={}).json()
    api.person(tenant, "bob").get(f"/d/{link['token']}")
    owner.get(f"{TASKS}/{done['id']}/download")
    again = owner.post(f"{TASKS}/{failed['id']}/retry").json()
    owner.post(f"{TASKS}/{again['id']}/cancel")
    owner.delete(f"{TASKS}/{done['id']}")
    api.services.dead_letters.record(WakeUp(claim.task.id, 2, "dead").encode(), "q", "stalled")
    [letter] = [
        item
        for item in admin.get("/api/admin/dead-letters").json()["items"]
        if item["task_id"] == failed["id"]
    ]
    admin.post(f"/api/admin/dead-letters/{letter['id']}/replay")

    entries = admin.get("/api/admin/audit-log", params={"tenant": tenant, "limit": 100}).json()

    assert {item["action"] for item in entries["items"]} >= {
        "submit", "claim", "finish", "attempt_failed", "download", "share", "follow_link",
        "retry", "cancel", "delete", "replay",
    }  # fmt: skip
    [retried] = [item for item in entries["items"] if item["action"] == "retry"]
    assert (retried["task_id"], retried["detail"]) == (failed["id"], {"task": again["id"]})


def test_who_is_refused_for_a_missing_role_is_in_the_log(api: TaskApi):
    tenant = api.tenant()
    mallory = api.person(tenant, "mallory", roles=("support",))
    for _ in range(3):
        mallory.post(TASKS, json={"type": "orders", "format": "csv", "params": {}})
        mallory.get("/api/admin/audit-log")

    def refused() -> list[tuple[str, str]]:
        entries = api.services.admin_queries.audit(ALL_TENANTS, tenant=tenant, action="refused")
        return sorted((entry.actor, (entry.detail or {})["route"]) for entry in entries)

    wait_for(lambda: len(refused()) >= 2)
    assert refused() == [
        ("mallory", "GET /api/admin/audit-log"),
        ("mallory", "POST /api/export-tasks"),
    ]


def test_r33_a_dead_letter_is_replayed_once_and_in_its_owners_name(api: TaskApi):
    owner = api.person()
    task = ask(owner)
    claim = api.begin(task)
    api.runs.fail(claim, code="broken", message="Broken.", retry_in=None)
    api.services.dead_letters.record(WakeUp(claim.task.id, 2, "dead").encode(), "q", "broken: x")
    admin = api.person(roles=(OPERATOR,))
    letters = admin.get("/api/admin/dead-letters").json()["items"]
    [letter] = [item for item in letters if item["task_id"] == task["id"]]
    path = f"/api/admin/dead-letters/{letter['id']}"

    replays = [admin.post(f"{path}/replay").json() for _ in range(2)]

    assert [item["outcome"] for item in replays] == ["replayed", "already_replayed"]
    assert owner.get(f"{TASKS}/{replays[0]['task_id']}").json()["status"] == "PENDING"
    assert admin.get(path).json()["replay_task_id"] == replays[0]["task_id"]


@pytest.mark.parametrize("letter_id", [2**62, 2**64, 0, "x"])
def test_an_unknown_dead_letter_is_a_problem_and_no_fault(api: TaskApi, letter_id: object):
    answer = api.person(roles=(OPERATOR,)).get(f"/api/admin/dead-letters/{letter_id}")

    assert answer.status_code == (404 if letter_id == 2**62 else 422)


def test_an_operator_cancels_and_retries_for_the_owner(api: TaskApi):
    owner, operator = api.person(), api.person(roles=(OPERATOR,))
    task = ask(owner)
    path = f"/api/admin/export-tasks/{task['id']}"

    assert operator.get(path).json()["status"] == "PENDING"
    assert operator.post(f"{path}/retry").json()["code"] == "task_conflict"
    cancelled = operator.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLED")
    before = len(api.wake_ups)
    again = operator.post(f"{path}/retry")

    assert (again.status_code, again.json()["status"]) == (201, "PENDING")
    assert len(api.wake_ups) == before + 1
    assert owner.get(f"{TASKS}/{again.json()['id']}").json()["created_by"] == task["created_by"]
    assert again.json()["download_url"] is None


def test_an_admin_of_another_tenant_finds_no_task_to_intervene_in(api: TaskApi):
    task = ask(api.person())
    stranger = api.person(roles=("admin",))
    path = f"/api/admin/export-tasks/{task['id']}"

    answers = [stranger.get(path), stranger.post(f"{path}/cancel"), stranger.post(f"{path}/retry")]

    assert [answer.json()["code"] for answer in answers] == ["task_not_found"] * 3


def test_operators_see_workers_and_queues_that_nobody_takes(api: TaskApi):
    operator, admin = api.person(roles=(OPERATOR,)), api.person(roles=("admin",))
    assert admin.get("/api/admin/workers").json()["code"] == "permission_denied"
    task = ask(api.person())

    def queue() -> dict:
        found = operator.get("/api/admin/workers").json()
        [orders] = [item for item in found["queues"] if item["queue"] == "orders"]
        return orders

    assert queue()["workers"] == 0
    assert queue()["waiting"] >= 1
    with living_worker(api.engine, ["orders"]):
        assert (queue()["workers"], queue()["slots"]) == (1, 2)
        text = operator.get("/metrics").text
        assert 'waybill_workers{queue="orders"} 1.0' in text
        assert 'waybill_workers{queue="ledger"} 0.0' in text or "ledger" not in text
        estimate = api.person().post(f"{TASKS}/estimate", json={"type": "orders", "format": "csv"})
        assert estimate.json()["queue_workers"] == 1
    operator.post(f"/api/admin/export-tasks/{task['id']}/cancel")


@pytest.mark.parametrize("note", ["", "n" * 501, None, "nul \x00"])
def test_a_dismissal_needs_a_note(api: TaskApi, note: object):
    operator = api.person(roles=(OPERATOR,))
    answer = operator.post("/api/admin/dead-letters/1/dismiss", json={"note": note})
    assert answer.json()["code"] == "invalid_request"


def test_a_dead_letter_is_dismissed_with_a_note(api: TaskApi):
    api.services.dead_letters.record(b"of nobody " + api.tenant().encode(), "q", "bad_message")
    operator = api.person(roles=(OPERATOR,))
    params = {"reason": "bad_message"}
    letter = operator.get("/api/admin/dead-letters", params=params).json()["items"][0]
    path = f"/api/admin/dead-letters/{letter['id']}/dismiss"

    done = operator.post(path, json={"note": "Ours."}).json()

    assert (done["dismiss_note"], done["dismissed_by"]) == ("Ours.", "ana")
    open_ones = operator.get("/api/admin/dead-letters", params=params).json()["items"]
    assert letter["id"] not in [item["id"] for item in open_ones]
