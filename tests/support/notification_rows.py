"""Helpers for tests of notifications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, LEASE, Worker, finished, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import notification
from waybill.infra.notifications.queue import DeliveryResult, DueNotification, NotificationQueue
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import Task

STRANGER = Principal("ann", "other-tenant")
URL = "https://hooks.example/T1/canary"
BOTH = {"webhook": URL, "email": "ann@acme.example"}
RETRY_DELAYS = (timedelta(seconds=5), timedelta(seconds=300))
FAILED = DeliveryResult(delivered=False, status=500, error="http_status")
DELIVERED = DeliveryResult(delivered=True, status=204)

_city = iter(range(10_000))


def submitted(engine: Engine, user: Principal = ANN, **change: object) -> Task:
    """A task that no other one is a twin of."""
    params = {"city": f"city {next(_city)}"}
    return TaskRequests(engine).submit(user, new_task(params=params, **change)).task


def succeed(engine: Engine, task: Task) -> None:
    runs = Worker(engine, LEASE)
    claim = runs.claim(task.id, "w")
    assert claim
    assert runs.finish(claim, finished(f"key-{task.id}"))


def ended(engine: Engine, notify: dict[str, str] | None = None, user: Principal = ANN) -> Task:
    task = submitted(engine, user, notify=notify)
    succeed(engine, task)
    return task


def rows(engine: Engine, task: Task) -> dict[str, sa.RowMapping]:
    with read_transaction(engine) as connection:
        query = sa.select(notification).where(notification.c.task_id == task.id)
        found = list(connection.execute(query).mappings())
    by_channel = {row["channel"]: row for row in found}
    assert len(by_channel) == len(found)
    return by_channel


def queue_of(engine: Engine) -> NotificationQueue:
    return NotificationQueue(engine, RETRY_DELAYS)


def take(engine: Engine, limit: int = 100, **more: object) -> list[DueNotification]:
    return queue_of(engine).take(limit, **{"per_tenant": 100, **more})


def move(engine: Engine, **values: object) -> None:
    with write_transaction(engine) as connection:
        connection.execute(sa.update(notification).values(**values))


def make_due(engine: Engine) -> None:
    """As if every delay and every claim were over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    move(engine, available_at=past, claimed_until=None)
