"""What operators read of queues, leases and the last day, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tests.support.servers.task_api import OPERATOR, TaskApi, ask
from waybill.infra.db.tables import export_task, outbox

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


def test_metrics_have_the_age_of_leases_and_of_the_outbox_and_open_uploads(
    api: TaskApi,
) -> None:
    lease, limit = api.services.settings.lease, timedelta(seconds=30)
    before = api.services.admin_queries.backlogs(lease)
    started, waiting = (ask(api.person(), params={"at_least": n}) for n in (1, 2))
    api.begin(started)
    renewed = datetime.now(UTC) - timedelta(hours=3)
    change(api, started, lease_expires_at=renewed + lease, queue="of-this-test")
    with api.engine.begin() as connection:
        mine = outbox.c.task_id == UUID(waiting["id"])
        connection.execute(
            sa.update(outbox)
            .where(mine)
            .values(added_at=renewed, available_at=datetime.now(UTC), publish_attempts=9)
        )

    after = api.services.admin_queries.backlogs(lease)

    # A failed publish puts the message off, and makes it no younger.
    for age in (after.lease_age, after.outbox_age):
        assert timedelta(hours=3) <= age < timedelta(hours=3) + limit
    assert after.running["of-this-test"] == 1
    assert after.outbox_waiting == before.outbox_waiting + 2
    assert after.open_uploads == before.open_uploads


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


def test_operators_see_what_is_kept_and_when_it_goes(api: TaskApi) -> None:
    person, tenant = api.person(), api.tenant()
    operator = api.person(roles=(OPERATOR,))
    done, ended = (ask(api.person(tenant), params={"at_least": n}) for n in (1, 2))
    api.finish(done)
    api.fail(ended)
    long_ago = datetime.now(UTC) - timedelta(days=80)
    change(api, ended, updated_at=long_ago)
    change(api, done, size_bytes=9 << 40, expires_at=datetime.now(UTC) + timedelta(hours=1))

    held = operator.get("/api/admin/holdings").json()

    assert held["tenants"][0] == {"tenant": tenant, "files": 1, "size_bytes": 9 << 40}
    assert held["expiring_in_a_day"] >= 1
    tables = {item["table"]: item for item in held["tables"]}
    oldest = datetime.fromisoformat(tables["export_task"]["oldest"])
    assert oldest <= long_ago
    cut = datetime.fromisoformat(tables["export_task"]["next_cut"])
    assert cut - oldest == api.services.settings.task_retention
    # Entries of the audit log stay, unless a setting says for how long.
    assert tables["audit_log"]["next_cut"] is None
    is_postgres = api.engine.dialect.name == "postgresql"
    assert (tables["export_task"]["size_bytes"] is not None) == is_postgres
    assert person.get("/api/admin/holdings").status_code == 403
    change(api, done, size_bytes=1)
