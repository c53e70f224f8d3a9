"""Words the tests of the task store share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle.runs import Finished, Reading
from waybill.infra.tasks.model import NewTask

ANN = Principal("ann", "acme", frozenset({"sales"}))
BOB = Principal("bob", "acme", frozenset({"sales"}))
LEASE = timedelta(seconds=60)


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


def reading_of(done: int, total: int) -> Reading:
    """Progress of `done` out of `total` rows."""
    return Reading(done, total, bytes_uploaded=done * 10, snapshot_at=None)


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


def expire_lease(engine: Engine, task_id: UUID) -> None:
    """Make it look as if the worker had been silent for longer than its lease."""
    with write_transaction(engine) as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == task_id)
            .values(lease_expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
