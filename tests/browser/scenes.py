"""Task lists as people have them: every state of an export, for pictures and for judges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tests.support.servers.task_api import OPERATOR, SHA256, TASKS, TaskApi, ask
from waybill.infra.broker.port import WakeUp
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.model import Finished, TaskProgress
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.tasks.workers import Heartbeat, Workers

#: What the exports of the scene need besides the role that sees them.
ROLES = ("sales", OPERATOR)


def every_state(api: TaskApi, tenant: str) -> None:
    """Fill the list of ana with one export in each state, the liveliest on top."""
    client = api.person(tenant, "ana", ROLES)

    def make(filename: str, age: timedelta, **request: Any) -> dict[str, Any]:
        task = ask(client, filename=filename, **request)
        _age(api, task, age)
        return task

    expired = make("orders-january", timedelta(days=20), params={"city": "Oslo"})
    _finish(api, expired, rows=88_120, size=4_300_000)
    _set(api, expired, status=TaskStatus.EXPIRED, expires_at=_ago(timedelta(days=13)))

    cancelled = make("orders-all", timedelta(days=3), params={"status": "new"})
    client.post(f"/api/export-tasks/{cancelled['id']}/cancel")

    failed = make("orders-archive", timedelta(hours=6), params={"city": "Porto"}, format="parquet")
    api.fail(failed)

    empty = make("orders-{today}", timedelta(hours=2), params={"city": "lisbon"})
    _finish(api, empty, rows=0, size=5_300, warnings=[])

    ready = make("orders-lisbon", timedelta(minutes=31), params={"city": "Lisbon"})
    _finish(api, ready, rows=4_812_330, size=241_800_000)

    retrying = make("orders-paid", timedelta(minutes=4), params={"status": "paid"}, format="csv.gz")
    api.fail(retrying, retry_in=timedelta(minutes=5))

    running = make("orders-{today}", timedelta(seconds=40))
    api.begin(running, TaskProgress(1_240_000, 2_000_000, 48_000_000, None))
    _set(api, running, started_at=_ago(timedelta(seconds=22)))

    make("orders-new", timedelta(seconds=4), params={"city": "Faro"}, format="csv")


def busy_day(api: TaskApi) -> None:
    """A day's work of three tenants: exports in every hour, two workers, two dead letters."""
    hours = (3, 2, 1, 1, 2, 5, 9, 14, 22, 31, 28, 24, 19, 26, 33, 30, 21, 16, 12, 8, 6, 5, 4, 7)
    now = datetime.now(UTC)
    tenants = ("acme", "globex", "initech")
    people = [api.person(tenant) for tenant in tenants]
    for hour, count in enumerate(hours):
        for number in range(count):
            task = ask(people[number % 3], params={"city": f"{hour}/{number}"})
            if number % 11 == 10:
                api.fail(task)
            else:
                _finish(api, task, rows=1_000, size=65_536)
            # Not into the hour before: the current one may have begun this minute.
            end = now - timedelta(hours=len(hours) - 1 - hour)
            begin = end - timedelta(seconds=4 + 3 * (number % 5) + hour % 7)
            _set(api, task, created_at=begin, started_at=begin, finished_at=end, updated_at=end)
    for number in (1, 2):
        Workers(api.engine).beat(
            Heartbeat(
                name=f"worker-{number}@export-a1",
                queues=["orders"],
                concurrency=4,
                exports_at_once=4,
                running=3 - number,
                waiting_for=None,
                version="0.1.0",
            )
        )
    for number in range(7):
        task = ask(api.person(tenants[number % 3], "ben"), params={"city": f"live {number}"})
        _age(api, task, timedelta(seconds=30 * number))
        if number < 3:
            claim = api.runs.claim(UUID(task["id"]), f"worker-{1 + number % 2}@export-a1")
            assert claim is not None
            api.runs.heartbeat(
                claim, TaskProgress(120_000 * (number + 1), 900_000, 4_000_000, None)
            )


def dead_letters(api: TaskApi, count: int = 2) -> None:
    """Exports of globex that failed for good, as their messages tell."""
    for number in range(count):
        task = ask(api.person("globex", "ben"), params={"city": f"Vigo {number}"})
        api.fail(task)
        wake_up = WakeUp(UUID(task["id"]), 1)
        api.services.dead_letters.record(wake_up.encode(), "orders", "source_unavailable")


_WARNINGS = [
    {"column": "Note", "rule": "truncated_text", "count": 2},
    {"column": "Order number", "rule": "long_number_as_text", "count": 1_204},
]


def _finish(
    api: TaskApi,
    task: dict[str, Any],
    *,
    rows: int,
    size: int,
    warnings: list[dict[str, str | int]] = _WARNINGS,
) -> None:
    now, key = datetime.now(UTC), api.key_of(task["id"])
    done = Finished(
        object_key=key,
        etag="etag",
        sha256=SHA256,
        size_bytes=size,
        rows_source=rows,
        rows_written=rows,
        snapshot_at=now,
        warnings=warnings,
        download_url="memory:///recorded-by-the-worker",
        url_expires_at=now + timedelta(minutes=15),
        retention=timedelta(days=7),
    )
    assert api.runs.finish(api.begin(task), done)


def _ago(age: timedelta) -> datetime:
    return datetime.now(UTC) - age


def _age(api: TaskApi, task: dict[str, Any], age: timedelta) -> None:
    _set(api, task, created_at=_ago(age))


def _set(api: TaskApi, task: dict[str, Any], **values: Any) -> None:
    with api.engine.begin() as connection:
        connection.execute(
            sa.update(export_task).where(export_task.c.id == UUID(task["id"])).values(values)
        )


def share(api: TaskApi, tenant: str, content: bytes = b"id\n") -> tuple[str, str]:
    """A finished export of ana's: its id and the path of a link to it."""
    owner = api.person(tenant)
    task = ask(owner)
    key = api.key_of(task["id"])
    with api.services.store.open_upload(key, content_type="text/csv") as upload:
        upload.write(content)
    api.finish(task, key=key)
    link = owner.post(f"{TASKS}/{task['id']}/links", json={}).json()
    return task["id"], f"/d/{link['token']}"
