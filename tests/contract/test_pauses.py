"""Pauses: no worker claims what is paused, its place in the queue says so, resuming wakes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, ask
from waybill.infra.config.limits import Limits
from waybill.infra.db.tables import export_task, outbox
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler

PAUSES = "/api/admin/pauses"


def claimed(api: TaskApi, queue: str) -> str | None:
    scheduler = FairScheduler(api.engine, timedelta(minutes=1), Limits.only())
    claim = scheduler.claim_next(queue, "worker")
    return str(claim.task.id) if claim else None


def moved(api: TaskApi, queue: str, task: dict[str, Any]) -> None:
    with api.engine.begin() as connection:
        mine = export_task.c.id == UUID(task["id"])
        connection.execute(sa.update(export_task).where(mine).values(queue=queue))


@pytest.fixture
def operator(api: TaskApi):
    operator = api.person(roles=(OPERATOR,))
    yield operator
    for item in operator.get(PAUSES).json()["items"]:
        operator.delete(f"{PAUSES}/{item['kind']}/{item['name']}")


@pytest.mark.parametrize("kind", ["queue", "dataset"])
def test_what_is_paused_is_accepted_and_not_claimed_until_it_is_resumed(
    api: TaskApi, operator, kind: str
) -> None:
    person = api.person()
    # The dataset's own queue is called like it.
    body = {"kind": kind, "name": "orders", "note": "The shop is being migrated."}
    assert [item["name"] for item in operator.post(PAUSES, json=body).json()["items"]] == ["orders"]
    # Repeating it changes nothing.
    assert operator.post(PAUSES, json=body | {"note": "Again."}).json()["items"][0]["note"] == (
        "The shop is being migrated."
    )
    queue = "orders" if kind == "queue" else f"of-{api.tenant()}"
    task = ask(person)
    moved(api, queue, task)

    assert claimed(api, queue) is None
    [place] = person.get(f"{TASKS}/queue").json()["items"]
    assert (place["task_id"], place["paused"]) == (task["id"], True)

    assert operator.delete(f"{PAUSES}/{kind}/orders").status_code == 204
    assert person.get(f"{TASKS}/queue").json()["items"][0]["paused"] is False
    with api.engine.connect() as connection:
        kinds = connection.execute(
            sa.select(outbox.c.kind).where(outbox.c.task_id == UUID(task["id"]))
        ).scalars()
        assert [name.partition("-")[0] for name in sorted(kinds)] == ["resume", "run"]
    mine = set()
    # Others of the same queue may come first.
    while (found := claimed(api, queue)) is not None:
        mine.add(found)
    assert task["id"] in mine
    entries = operator.get("/api/admin/audit-log", params={"limit": 50}).json()["items"]
    assert {"pause", "resume"} <= {entry["action"] for entry in entries}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "queue", "name": "no-such", "note": "x"}, 422),
        ({"kind": "tenant", "name": "orders", "note": "x"}, 422),
        ({"kind": "queue", "name": "orders", "note": ""}, 422),
    ],
)
def test_only_what_exists_is_paused_and_with_a_reason(
    operator, body: dict[str, str], status: int
) -> None:
    assert operator.post(PAUSES, json=body).status_code == status


def test_an_admin_of_one_tenant_pauses_nothing(api: TaskApi) -> None:
    admin = api.person(roles=("admin",))
    body = {"kind": "queue", "name": "orders", "note": "x"}
    answers = [admin.get(PAUSES), admin.post(PAUSES, json=body)]
    answers.append(admin.delete(f"{PAUSES}/queue/orders"))
    assert [answer.status_code for answer in answers] == [403] * 3
