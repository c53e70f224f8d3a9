"""Helpers for tests of the task store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.broker.port import WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler
from waybill.infra.tasks.model import Claim, Finished, NewTask, TaskProgress

ANN = Principal("ann", "acme", frozenset({"sales"}))
BOB = Principal("bob", "acme", frozenset({"sales"}))
LEASE = timedelta(seconds=60)


class Worker(TaskRuns):
    """A worker of tests: what it writes, its scheduler, and the claim of a task of its choice."""

    def __init__(
        self, engine: Engine, lease: timedelta = LEASE, limits: Limits | None = None
    ) -> None:
        super().__init__(engine, lease)
        self._scheduler = FairScheduler(engine, lease, limits or Limits.only())
        self.claim_next = self._scheduler.claim_next
        self.wake_throttled_queues = self._scheduler.wake_throttled_queues

    def claim(self, task_id: UUID, worker: str) -> Claim | None:
        """Claim this very task, whatever the scheduler would choose; None: not to be claimed."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            which = export_task.c.id == task_id
            fence = connection.execute(sa.select(export_task.c.fence).where(which)).scalar()
            latest = WakeUp(task_id, fence or 0)
            return transitions.claim(connection, now, worker, self._lease, which, latest)


def new_task(**change: Any) -> NewTask:
    """A request for orders of Berlin, or with something changed."""
    values: dict[str, Any] = {
        "task_type": "orders",
        "queue": "orders",
        "format": "xlsx",
        "params": {"city": "Berlin"},
        "filename": "orders.xlsx",
        "max_attempts": 3,
    }
    return NewTask(**values | change)


def progress_of(done: int, total: int) -> TaskProgress:
    """Progress of `done` out of `total` rows."""
    return TaskProgress(done, total, bytes_uploaded=done * 10, snapshot_at=None)


def finished(key: str, **change: Any) -> Finished:
    """A good end, with the object `key`, or with something changed."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "object_key": key,
        "etag": "etag",
        "sha256": "0" * 64,
        "size_bytes": 100,
        "rows_source": 5,
        "rows_written": 5,
        "snapshot_at": now,
        "warnings": [],
        "download_url": "https://store.invalid/x?X-Amz-Signature=canary",
        "url_expires_at": now + timedelta(minutes=15),
        "retention": timedelta(days=7),
    }
    return Finished(**values | change)


def task_row(engine: Engine, task_id: UUID) -> dict[str, Any]:
    """The row of one task."""
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(export_task).where(export_task.c.id == task_id))
        return dict(row.mappings().one())


def put_row_back(engine: Engine, known: dict[str, Any]) -> None:
    """Undo what happened to a task since its row was `known`.

    The promotion of a standby does so with every commit that it had not received.
    """
    with write_transaction(engine) as connection:
        which = export_task.c.id == known["id"]
        connection.execute(sa.update(export_task).where(which).values(**known))


def expire_lease(engine: Engine, task_id: UUID) -> None:
    """Make it look as if the worker had been silent for longer than its lease."""
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == task_id)
            .values(lease_expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
