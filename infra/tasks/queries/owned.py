"""Queries for the tasks of one principal; `TaskRequests` reads through these only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.tables import UtcDateTime, export_task
from waybill.infra.tasks.model import Task, TaskNotFound
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c


def owned_by(user: Principal) -> sa.ColumnElement[bool]:
    """The condition that a task belongs to `user`."""
    return sa.and_(_task.tenant_id == user.tenant, _task.created_by == user.user)


def load(
    connection: Connection, user: Principal, task_id: UUID, *, for_update: bool = False
) -> Task:
    """One of `user`'s tasks, or `TaskNotFound`."""
    query = sa.select(export_task).where(owned_by(user), _task.id == task_id)
    row = connection.execute(query.with_for_update() if for_update else query).mappings().first()
    if row is None:
        raise TaskNotFound()
    return Task.from_row(row)


def matching(
    user: Principal,
    statuses: Sequence[TaskStatus],
    task_type: str | None,
    name_part: str | None,
) -> list[sa.ColumnElement[bool]]:
    """The conditions of a list; an empty or None filter narrows nothing.

    `name_part` matches anywhere in a file name, regardless of case (on SQLite for ASCII letters
    only). Its ``%`` and ``_`` are ordinary characters. The cost grows with the user's own
    tasks, since no index helps.
    """
    conditions = [owned_by(user)]
    if statuses:
        conditions.append(_task.status.in_(statuses))
    if task_type:
        conditions.append(_task.task_type == task_type)
    if name_part:
        conditions.append(_task.filename.icontains(name_part, autoescape=True))
    return conditions


def follows(created_at: datetime, task_id: UUID) -> sa.ColumnElement[bool]:
    """The condition that a task comes after this position in the order of `newest`."""
    position = sa.tuple_(sa.literal(created_at, UtcDateTime()), sa.literal(task_id, sa.Uuid()))
    return sa.tuple_(_task.created_at, _task.id) < position


def newest(
    connection: Connection,
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    offset: int = 0,
    limit: int,
) -> list[Task]:
    """Tasks that meet all conditions, newest first; ids break ties."""
    rows = connection.execute(
        sa.select(export_task)
        .where(*conditions)
        .order_by(_task.created_at.desc(), _task.id.desc())
        .offset(offset)
        .limit(limit)
    ).mappings()
    return [Task.from_row(row) for row in rows]
