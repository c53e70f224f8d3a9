"""Rows that accompany a change of a task, written in the transaction that makes the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import audit_log, outbox
from waybill.infra.tasks.states import TRANSITIONS, TaskStatus

#: Actor of changes that no person made.
SYSTEM = "system"

#: A row of `export_task`, or the part of one that identifies it.
TaskRow = sa.RowMapping | Mapping[str, Any]

#: Without the new id: nobody needs it, and to ask for it costs time.
_INSERT_AUDIT = sa.insert(audit_log).inline()
_INSERT: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def insert(connection: Connection, table: Any) -> Any:
    """An INSERT in the database's own dialect, which knows ``ON CONFLICT``."""
    return _INSERT[connection.dialect.name](table)


def insert_ignoring(connection: Connection, table: Any, *returning: Any) -> Any:
    """An INSERT that does nothing where a unique index already holds the row.

    Give the row to `execute`, and the statement is made and compiled only once.
    """
    return _ignoring(connection.dialect.name, table, *returning)


@cache
def _ignoring(dialect: str, table: Any, *returning: Any) -> Any:
    statement = _INSERT[dialect](table).on_conflict_do_nothing()
    return statement.returning(*returning) if returning else statement


def audit(
    connection: Connection,
    now: datetime,
    action: str,
    task: TaskRow,
    *,
    actor: str = SYSTEM,
    change: tuple[TaskStatus | None, TaskStatus] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record who did what to which task. `detail` must hold no link, secret or parameter.

    Raises:
        ValueError: `change` is not an edge of the state graph; the caller's update is wrong,
            and its transaction must not be committed.
    """
    before, after = change or (None, None)
    if before is not None and after is not None and (before, after) not in TRANSITIONS:
        raise ValueError(f"a task cannot go from {before} to {after}")
    entry = {
        "at": now,
        "tenant_id": task["tenant_id"],
        "actor": actor,
        "action": action,
        "task_id": task["id"],
        "from_status": before,
        "to_status": after,
        "fence": task["fence"],
        "detail": dict(detail or {}),
    }
    connection.execute(_INSERT_AUDIT, entry)


def wake(
    connection: Connection,
    now: datetime,
    task_id: UUID,
    *,
    kind: str,
    fence: int,
    queue: str,
    delay: timedelta = timedelta(0),
    reason: str | None = None,
) -> None:
    """Put one wake-up into the outbox; a second one of the same kind and fence is dropped.

    With a `reason` it goes to the dead letters instead of to a worker.
    """
    row = {
        "task_id": task_id,
        "kind": kind,
        "fence": fence,
        "queue": queue,
        "delay_seconds": delay.total_seconds(),
        "reason": reason,
        "available_at": now,
    }
    connection.execute(insert_ignoring(connection, outbox), row)
