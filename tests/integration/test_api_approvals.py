"""Exports that wait for an approval: who may answer, and what an answer does and never does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from tests.support.servers.task_api import TASKS, TaskApi, running_api
from waybill.exporter.datasets.approval import Approval, ApprovalRequest
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.tables import audit_log, export_task, notification, outbox
from waybill.infra.tasks.lifecycle.maintenance import Maintenance

MAILBOX = "leads@acme.example"
SALARIES: dict[str, Any] = {
    "type": "salaries",
    "format": "xlsx",
    "params": {"department": "Sales"},
    "reason": "For the auditors.",
}


class Department(BaseModel):
    department: str = "all"


def rows(params: BaseModel, user: object) -> sa.Select[Any]:
    return sa.select(sa.literal(params.model_dump_json()).label("doc"))


def heads(person: Principal, request: ApprovalRequest) -> bool:
    """The head of the department that is asked for."""
    department = request.params.model_dump()["department"]
    return person.attributes.get("heads", "") == department or person.user == f"head-{department}"


def sensitive_registry(roles: frozenset[str] = frozenset({"hr"})) -> Registry:
    """One dataset approved by a role, and one by a rule."""
    registry = Registry()
    salaries = Approval("lead", within=timedelta(days=2), mail=MAILBOX)
    common = {"params": Department, "roles": roles, "queue": "orders"}
    registry.add(
        Dataset(
            "salaries", rows, title="Salaries", reason=True, approval=salaries, **common,
            choices={"department": "doc"}, reuse_for=timedelta(hours=1),
        )
    )  # fmt: skip
    registry.add(Dataset("reviews", rows, approval=Approval(heads), **common))
    return registry


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("approvals")
    url = f"sqlite:///{home}/tasks.db"
    with running_api(url, home, registry=sensitive_registry()) as api:
        yield api


@pytest.fixture
def tenant(desk: TaskApi) -> str:
    return desk.tenant()


def ana(desk: TaskApi, tenant: str) -> httpx2.Client:
    return desk.person(tenant, "ana", ("hr",))


def lead(desk: TaskApi, tenant: str, user: str = "lea") -> httpx2.Client:
    return desk.person(tenant, user, ("hr", "lead"))


def ask(client: httpx2.Client, **changes: Any) -> dict[str, Any]:
    answer = client.post(TASKS, json=SALARIES | changes)
    assert answer.status_code == 202, answer.text
    task: dict[str, Any] = answer.json()
    return task


def answer(client: httpx2.Client, task: dict[str, Any], verb: str, **body: str) -> httpx2.Response:
    return client.post(f"{TASKS}/{task['id']}/{verb}", json=body)


def waiting(client: httpx2.Client) -> list[str]:
    return [item["task_id"] for item in client.get("/api/approvals").json()["items"]]


def wake_ups(desk: TaskApi, task: dict[str, Any]) -> list[str]:
    query = sa.select(outbox.c.kind).where(outbox.c.task_id == UUID(task["id"]))
    with desk.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def audited(desk: TaskApi, task: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    a = audit_log.c
    query = sa.select(a.action, a.actor, a.detail).where(a.task_id == UUID(task["id"]))
    with desk.engine.connect() as connection:
        entries = connection.execute(query.order_by(a.id))
        return [(row.action, row.actor, row.detail) for row in entries if row.action != "refused"]


def test_an_export_waits_for_somebody_else_and_runs_when_that_person_agrees(
    desk: TaskApi, tenant: str
) -> None:
    asker, approver = ana(desk, tenant), lead(desk, tenant)
    task = ask(asker)

    assert (task["status"], task["waiting"]["component"]) == ("PENDING", "approval")
    assert (task["reason"], task["approval"]["state"]) == ("For the auditors.", "asked")
    assert wake_ups(desk, task) == []
    assert desk.runs.claim(UUID(task["id"]), "test-worker") is None
    assert asker.get(f"{TASKS}/queue").json()["items"] == []
    [asked] = approver.get("/api/approvals").json()["items"]
    assert (asked["requested_by"], asked["reason"]) == ("ana", "For the auditors.")
    assert asked["params"] == {"department": "Sales"}

    given = answer(approver, task, "approve", note="Until Friday.")

    assert (given.status_code, given.json()["state"]) == (200, "approved")
    assert waiting(approver) == []
    assert wake_ups(desk, task) == ["approved"]
    assert audited(desk, task) == [
        ("ask", "ana", {"reason": "For the auditors."}),
        ("approve", "lea", {"note": "Until Friday."}),
    ]
    desk.finish(task)
    done = asker.get(f"{TASKS}/{task['id']}").json()
    assert (done["status"], done["waiting"]) == ("SUCCESS", None)
    approval = done["approval"]
    assert (approval["decided_by"], approval["note"]) == ("lea", "Until Friday.")
    # What was given once stays given; another answer comes too late.
    assert answer(approver, task, "approve").status_code == 200
    assert answer(approver, task, "decline").json()["code"] == "task_conflict"
    assert answer(lead(desk, tenant, "leo"), task, "approve").json()["code"] == "task_conflict"


def test_a_declined_export_ends_and_its_requester_is_told(desk: TaskApi, tenant: str) -> None:
    asker, approver = ana(desk, tenant), lead(desk, tenant)
    task = ask(asker)

    assert answer(approver, task, "decline", note="Ask legal first.").status_code == 200

    ended = asker.get(f"{TASKS}/{task['id']}").json()
    assert (ended["status"], ended["last_error"]["code"]) == ("FAILED", "approval_declined")
    assert ended["approval"]["note"] == "Ask legal first."
    [notice] = asker.get("/api/notices").json()["items"]
    assert notice["code"] == "approval_declined"
    assert answer(approver, task, "decline").status_code == 200
    again = asker.post(f"{TASKS}/{task['id']}/retry")
    assert (again.status_code, again.json()["waiting"]["component"]) == (201, "approval")
    assert wake_ups(desk, again.json()) == []


@pytest.mark.parametrize(
    ("user", "roles", "status"),
    [
        ("ana", ("hr", "lead"), 403),
        ("bob", ("hr",), 404),
        ("bob", ("lead",), 404),
        ("bob", ("admin",), 404),
        ("bob", ("waybill-operator", "lead"), 404),
    ],
    ids=["herself", "no approver", "no right to the dataset", "an admin", "an operator"],
)
@pytest.mark.parametrize("verb", ["approve", "decline"])
def test_nobody_else_may_answer(
    desk: TaskApi, tenant: str, user: str, roles: tuple[str, ...], status: int, verb: str
) -> None:
    task = ask(ana(desk, tenant))
    other = desk.person(tenant, user, roles)

    assert answer(other, task, verb).status_code == status
    assert waiting(other) == []
    assert ana(desk, tenant).get(f"{TASKS}/{task['id']}").json()["status"] == "PENDING"


def test_an_approver_of_another_tenant_sees_and_answers_nothing(desk: TaskApi, tenant: str) -> None:
    task = ask(ana(desk, tenant))
    stranger = lead(desk, desk.tenant())

    assert waiting(stranger) == []
    assert answer(stranger, task, "approve").status_code == 404


def test_a_rule_judges_the_request(desk: TaskApi, tenant: str) -> None:
    asker = ana(desk, tenant)
    for_sales = ask(asker, type="reviews", params={"department": "sales"}, reason=None)
    for_it = ask(asker, type="reviews", params={"department": "it"}, reason=None)
    head = desk.person(tenant, "head-it", ("hr",))

    assert waiting(head) == [for_it["id"]]
    assert answer(head, for_sales, "approve").status_code == 404
    assert answer(head, for_it, "approve").status_code == 200


@pytest.mark.parametrize("reason", [None, "", "   "])
def test_a_dataset_that_asks_for_a_reason_gets_one(
    desk: TaskApi, tenant: str, reason: str | None
) -> None:
    asker = ana(desk, tenant)
    for address, body in (
        (TASKS, SALARIES | {"reason": reason}),
        ("/api/saved-exports", {"name": "x", "request": SALARIES | {"reason": reason}}),
    ):
        refused = asker.post(address, json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["errors"][0]["pointer"].endswith("reason")
    estimated = asker.post(f"{TASKS}/estimate", json=SALARIES | {"reason": reason})
    assert estimated.status_code == 200


def test_a_request_without_an_answer_ends(desk: TaskApi, tenant: str) -> None:
    asker, approver = ana(desk, tenant), lead(desk, tenant)
    task, other = ask(asker), ask(asker, reason="Another one.")
    late = sa.update(export_task).where(export_task.c.id == UUID(task["id"]))
    with desk.engine.begin() as connection:
        connection.execute(late.values(approval_until=export_task.c.created_at))

    assert answer(approver, task, "approve").json()["code"] == "task_conflict"
    assert Maintenance(desk.engine).end_unanswered() == 1
    assert Maintenance(desk.engine).end_unanswered() == 0

    ended = asker.get(f"{TASKS}/{task['id']}").json()
    assert (ended["status"], ended["last_error"]["code"]) == ("FAILED", "approval_expired")
    assert asker.get(f"{TASKS}/{other['id']}").json()["status"] == "PENDING"


def test_the_sweeper_wakes_nobody_for_an_export_that_waits(desk: TaskApi, tenant: str) -> None:
    task = ask(ana(desk, tenant))

    Maintenance(desk.engine).republish_overdue(timedelta(0))

    assert wake_ups(desk, task) == []


def test_a_file_is_for_whom_it_was_approved(desk: TaskApi, tenant: str) -> None:
    asker, colleague = ana(desk, tenant), desk.person(tenant, "bob", ("hr",))
    task = ask(asker)
    answer(lead(desk, tenant), task, "approve")
    running = ask(colleague)
    desk.finish(task)
    fresh = ask(colleague, reason="I would like it as well.")
    link = asker.post(f"{TASKS}/{task['id']}/links", json={}).json()

    for mine in (running, fresh):
        now = colleague.get(f"{TASKS}/{mine['id']}").json()
        assert (now["status"], now["waiting"]["component"]) == ("PENDING", "approval")
    assert colleague.get(f"/d/{link['token']}", follow_redirects=False).status_code == 403
    assert asker.get(f"/d/{link['token']}", follow_redirects=False).status_code == 302


def test_the_same_request_again_is_the_one_that_waits(desk: TaskApi, tenant: str) -> None:
    asker = ana(desk, tenant)
    headers = {"Idempotency-Key": "once"}
    first = asker.post(TASKS, json=SALARIES, headers=headers).json()

    again = asker.post(TASKS, json=SALARIES, headers=headers)
    other = asker.post(TASKS, json=SALARIES | {"reason": "Another."}, headers=headers)

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("path", ["preview", "choices/department"])
def test_rows_are_not_shown_without_an_approval(desk: TaskApi, tenant: str, path: str) -> None:
    refused = ana(desk, tenant).get(f"/api/datasets/salaries/{path}")

    assert (refused.status_code, refused.json()["code"]) == (403, "approval_needed")


def test_who_is_asked_is_told_by_mail_without_the_words_of_the_requester(
    desk: TaskApi, tenant: str
) -> None:
    task = ask(ana(desk, tenant))

    n = notification.c
    with desk.engine.connect() as connection:
        mail = connection.execute(
            sa.select(notification).where(n.task_id == UUID(task["id"]), n.channel == "email")
        ).one()
    assert (mail.event, mail.target, mail.detail["title"]) == (
        "approval.asked", MAILBOX, "Salaries"
    )  # fmt: skip
    assert "auditors" not in str(mail.detail)


def test_a_requester_who_lost_the_right_is_not_approved(desk: TaskApi, tmp_path: Path) -> None:
    tables = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(tables, tmp_path, registry=sensitive_registry()) as before:
        tenant = before.tenant()
        task = ask(ana(before, tenant))
    with running_api(tables, tmp_path, registry=sensitive_registry(frozenset({"board"}))) as after:
        approver = after.person(tenant, "lea", ("board", "lead"))
        refused = answer(approver, task, "approve")
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert answer(approver, task, "decline").status_code == 200


def test_a_retry_by_others_asks_again(desk: TaskApi, tenant: str) -> None:
    task = ask(ana(desk, tenant))
    answer(lead(desk, tenant), task, "approve")
    desk.fail(task)

    admin = desk.person(tenant, "root", ("admin",))
    retried = admin.post(f"/api/admin/export-tasks/{task['id']}/retry")

    again = ana(desk, tenant).get(TASKS).json()["items"][0]
    assert retried.status_code in (200, 201)
    assert (again["status"], again["waiting"]["component"]) == ("PENDING", "approval")


def test_cancelling_takes_the_request_back(desk: TaskApi, tenant: str) -> None:
    asker, approver = ana(desk, tenant), lead(desk, tenant)
    task = ask(asker)

    asker.post(f"{TASKS}/{task['id']}/cancel").raise_for_status()

    assert waiting(approver) == []
    assert answer(approver, task, "approve").json()["code"] == "task_conflict"


def test_prefer_wait_waits_for_no_person(desk: TaskApi, tenant: str) -> None:
    headers = {"Prefer": "wait=25"}
    # The client gives up before the server would.
    answer = ana(desk, tenant).post(TASKS, json=SALARIES, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["waiting"]["component"]) == (202, "approval")
