"""Figures for operators: waiting and running tasks, leases, and results of the last day.

Each reads through a partial or narrow index, so its cost is that of the live tasks or of the
last day's, not of the table. Followers, which only wait for the file of another task, are not
counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.engine import database_now
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.queries.scope import Scope
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c

#: Leases listed at most.
_MAX_LEASES = 200
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What one queue holds of one type. `waiting` includes those `delayed` until a retry."""

    queue: str
    task_type: str
    waiting: int = 0
    delayed: int = 0
    running: int = 0
    oldest_waiting_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A task claimed by a worker. An overdue one is about to be rescued."""

    worker: str
    lease_expires_at: datetime
    overdue: bool
    task_id: UUID
    tenant: str
    created_by: str
    task_type: str
    queue: str
    filename: str
    attempt: int
    rows_done: int
    rows_total: int | None


@dataclass(frozen=True, slots=True)
class HourFigures:
    """Exports that ended in one hour; durations in seconds, from first start to success."""

    hour: datetime
    succeeded: int = 0
    failed: int = 0
    average_seconds: float | None = None
    longest_seconds: float | None = None


def read_queues(connection: Connection, scope: Scope) -> list[QueueFigures]:
    """Every queue and type with live tasks of `scope`, by name."""
    now = database_now(connection)
    delayed = sa.func.count(sa.case((_task.next_attempt_at > now, 1)))
    found: dict[tuple[str, str], QueueFigures] = {}
    for row in connection.execute(
        _live_by_queue(scope, TaskStatus.PENDING, delayed, sa.func.min(_task.created_at))
    ):
        queue, task_type, waiting, later, oldest = row
        found[queue, task_type] = QueueFigures(
            queue, task_type, waiting=waiting, delayed=later, oldest_waiting_since=oldest
        )
    for queue, task_type, running in connection.execute(
        _live_by_queue(scope, TaskStatus.PROCESSING)
    ):
        known = found.get((queue, task_type), QueueFigures(queue, task_type))
        found[queue, task_type] = replace(known, running=running)
    return [found[key] for key in sorted(found)]


def read_leases(connection: Connection, scope: Scope) -> list[Lease]:
    """The leases of each worker on tasks of `scope`, those that end first at the top."""
    now = database_now(connection)
    rows = connection.execute(
        sa.select(
            _task.lease_owner,
            _task.lease_expires_at,
            _task.lease_expires_at < now,
            _task.id,
            _task.tenant_id,
            _task.created_by,
            _task.task_type,
            _task.queue,
            _task.filename,
            _task.attempt,
            _task.rows_done,
            _task.rows_total,
        )
        .where(
            in_status(TaskStatus.PROCESSING),
            _task.lease_expires_at.is_not(None),
            *scope.limits(_task.tenant_id),
        )
        .order_by(_task.lease_owner, _task.lease_expires_at)
        .limit(_MAX_LEASES)
    )
    return [Lease(row[0] or "", row[1], bool(row[2]), *row[3:]) for row in rows]


def read_hours(connection: Connection, scope: Scope, count: int = 24) -> list[HourFigures]:
    """The last `count` hours of UTC, the current one last; hours without an end are there too."""
    current = database_now(connection).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first = current - (count - 1) * _HOUR
    hour, seconds = _ended_hour(connection), _run_seconds(connection)
    failed = _task.status == TaskStatus.FAILED
    query = (
        sa.select(
            hour,
            sa.func.count(sa.case((~failed, 1))),
            sa.func.count(sa.case((failed, 1))),
            sa.func.avg(sa.case((~failed, seconds))),
            sa.func.max(sa.case((~failed, seconds))),
        )
        # Implied by the second condition, and the one that has an index.
        .where(_task.updated_at >= first, _task.finished_at >= first)
        .where(_task.status.in_([TaskStatus.SUCCESS, TaskStatus.EXPIRED, TaskStatus.FAILED]))
        .where(*scope.limits(_task.tenant_id))
        .group_by(hour)
    )
    hours = {first + step * _HOUR: HourFigures(first + step * _HOUR) for step in range(count)}
    for text, succeeded, lost, average, longest in connection.execute(query):
        at = datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=UTC)
        hours[at] = HourFigures(at, succeeded, lost, _float(average), _float(longest))
    return list(hours.values())


def _live_by_queue(
    scope: Scope, status: TaskStatus, *more: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    return (
        sa.select(_task.queue, _task.task_type, sa.func.count(), *more)
        .where(in_status(status), _task.joined_id.is_(None), *scope.limits(_task.tenant_id))
        .group_by(_task.queue, _task.task_type)
    )


def _ended_hour(connection: Connection) -> sa.ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", _task.finished_at), "YYYY-MM-DD HH24")
    return sa.func.strftime("%Y-%m-%d %H", _task.finished_at)


def _run_seconds(connection: Connection) -> sa.ColumnElement[Any]:
    if connection.dialect.name == "postgresql":
        return sa.extract("epoch", _task.finished_at - _task.started_at)
    days = sa.func.julianday(_task.finished_at) - sa.func.julianday(_task.started_at)
    return days * 86_400.0


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
