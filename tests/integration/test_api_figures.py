"""What operators read of queues, leases and the last day, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tests.support.servers.task_api import OPERATOR, TaskApi, ask
from waybill.infra.db.tables import export_task

_t = export_task.c


def change(api: TaskApi, task: dict[str, Any], **values: Any) -> None:
    with api.engine.begin() as connection:
        connection.execute(sa.update(export_task).where(_t.id == UUID(task["id"])).values(values))


def test_queues_say_what_waits_since_when_and_what_runs(api: TaskApi) -> None:
    client = api.person()
    queue = f"queue-{api.tenant()}"
    oldest, younger, later, running, joined = (
        ask(client, params={"at_least": number}) for number in range(5)
    )
    api.fail(later, retry_in=timedelta(minutes=5))
    api.begin(running)
    since = datetime.now(UTC) - timedelta(hours=2)
    change(api, oldest, created_at=since)
    change(api, joined, joined_id=UUID(running["id"]))
    for task in (oldest, younger, later, running, joined):
        change(api, task, queue=queue)

    items = api.person(roles=(OPERATOR,)).get("/api/admin/queues").json()["items"]

    [found] = [item for item in items if item["queue"] == queue]
    assert datetime.fromisoformat(found.pop("oldest_waiting_since")) == since
    assert found == {
        "queue": queue,
        "task_type": "orders",
        "waiting": 3,
        "delayed": 1,
        "running": 1,
    }


def test_leases_name_the_worker_and_what_it_has_in_hand(api: TaskApi) -> None:
    tenant = api.tenant()
    held, lost = (ask(api.person(tenant), params={"at_least": number}) for number in (1, 2))
    for task in (held, lost):
        assert api.runs.claim(UUID(task["id"]), f"worker-of-{tenant}")
    change(api, lost, lease_expires_at=datetime.now(UTC) - timedelta(seconds=1))

    items = api.person(roles=(OPERATOR,)).get("/api/admin/leases").json()["items"]

    mine = [item for item in items if item["tenant"] == tenant]
    assert {item["worker"] for item in mine} == {f"worker-of-{tenant}"}
    # The lease that ends first is the one to look at.
    assert [(item["task_id"], item["overdue"]) for item in mine] == [
        (lost["id"], True),
        (held["id"], False),
    ]


def test_the_last_day_is_counted_by_the_hour_of_the_end(api: TaskApi) -> None:
    admin = api.person(roles=(OPERATOR,))

    def hours() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = admin.get("/api/admin/statistics").json()["items"]
        return found

    before = hours()
    end = datetime.fromisoformat(before[3]["hour"]) + timedelta(minutes=59, seconds=59.9)
    client = api.person()
    quick, slow, failed, old = (ask(client, params={"at_least": number}) for number in range(4))
    for task, seconds in ((quick, 0.5), (slow, 7.5)):
        api.finish(task)
        begin = end - timedelta(seconds=seconds)
        change(api, task, started_at=begin, finished_at=end, updated_at=end)
    api.fail(failed)
    change(api, failed, finished_at=end, updated_at=end)
    api.finish(old)
    change(api, old, finished_at=end - timedelta(days=2), updated_at=end - timedelta(days=2))

    after = hours()

    assert len(after) == 24
    assert after[-1]["hour"] <= datetime.now(UTC).isoformat()
    assert after[3]["succeeded"] - before[3]["succeeded"] == 2
    assert after[3]["failed"] - before[3]["failed"] == 1
    if not before[3]["succeeded"]:
        assert abs(after[3]["average_seconds"] - 4) < 0.01
        assert abs(after[3]["longest_seconds"] - 7.5) < 0.01
    assert [hour for hour in after if hour != after[3]] == [
        hour for hour in before if hour["hour"] != after[3]["hour"]
    ]
