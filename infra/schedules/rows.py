"""Rows of schedules as a scheduler reads, locks and moves them on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task, saved_export, schedule
from waybill.infra.schedules.cron import parse_cron
from waybill.infra.tasks.states import LIVE, TaskStatus

_schedule = schedule.c
_RAN_WELL = (TaskStatus.SUCCESS, TaskStatus.EXPIRED)


def due(now: datetime) -> sa.Select[Any]:
    """The schedules that are due, those that have waited longest first, by their index."""
    return (
        sa.select(_schedule.id)
        .where(_schedule.paused_at.is_(None), _schedule.due_at <= now)
        .order_by(_schedule.due_at)
    )


def with_request() -> sa.Select[Any]:
    """Schedules with the request that they run; its columns are NULL where it was deleted."""
    source = schedule.outerjoin(saved_export, saved_export.c.id == _schedule.saved_export_id)
    return sa.select(
        schedule,
        saved_export.c.request,
        saved_export.c.shared,
        saved_export.c.created_by.label("saved_by"),
        saved_export.c.timezone.label("saved_timezone"),
    ).select_from(source)


def lock(connection: Connection, row: sa.RowMapping) -> sa.RowMapping | None:
    """The schedule as it was read, locked; None if it has changed since, or somebody has it."""
    query = (
        sa.select(schedule)
        .where(
            _schedule.id == row["id"],
            _schedule.version == row["version"],
            _schedule.next_slot == row["next_slot"],
            _schedule.paused_at.is_(None) if row["paused_at"] is None else sa.true(),
        )
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).mappings().one_or_none()


def live_task(connection: Connection, task_id: UUID | None) -> bool:
    """Whether this task waits or runs."""
    return _status(connection, task_id) in LIVE


def failures_of(connection: Connection, locked: sa.RowMapping) -> int:
    """Failures in a row, the one of the last task included."""
    status = _status(connection, locked["last_task_id"])
    if status in _RAN_WELL:
        return 0
    return int(locked["failures"]) + (status == TaskStatus.FAILED)


def _status(connection: Connection, task_id: UUID | None) -> TaskStatus | None:
    if task_id is None:
        return None
    query = sa.select(export_task.c.status).where(export_task.c.id == task_id)
    status = connection.execute(query).scalar_one_or_none()
    return TaskStatus(status) if status else None


def advance(
    connection: Connection, now: datetime, locked: sa.RowMapping, values: Mapping[str, Any]
) -> None:
    """Move the schedule to its first slot after `now`, which never lies before the last one."""
    rule = parse_cron(locked["cron"], locked["timezone"])
    slot = rule.after(max(now, locked["next_slot"]))
    connection.execute(
        sa.update(schedule)
        .where(_schedule.id == locked["id"])
        .values(**values, next_slot=slot, due_at=slot)
    )


def postpone(connection: Connection, until: datetime, locked: sa.RowMapping) -> None:
    """Look at the same slot again at `until`."""
    connection.execute(sa.update(schedule).where(_schedule.id == locked["id"]).values(due_at=until))
