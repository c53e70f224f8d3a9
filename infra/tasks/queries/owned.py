"""Reads that see one principal's tasks only; every query of `TaskRequests` is built on these."""

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

_t = export_task.c


def owned_by(user: Principal) -> sa.ColumnElement[bool]:
    """The condition that a task is `user`'s."""
    return sa.and_(_t.tenant_id == user.tenant, _t.created_by == user.user)


def load(
    connection: Connection, user: Principal, task_id: UUID, *, for_update: bool = False
) -> Task:
    """One task of `user`'s, or `TaskNotFound`."""
    query = sa.select(export_task).where(owned_by(user), _t.id == task_id)
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
    """The conditions of a list; what is empty or None narrows nothing.

    `name_part` is found anywhere in a file name, without regard to case (on SQLite that of
    ASCII letters only). Its ``%`` and ``_`` are ordinary characters. The cost grows with the
    user's own tasks, for no index helps.
    """
    wanted = [owned_by(user)]
    if statuses:
        wanted.append(_t.status.in_(statuses))
    if task_type:
        wanted.append(_t.task_type == task_type)
    if name_part:
        wanted.append(_t.filename.icontains(name_part, autoescape=True))
    return wanted


def follows(created_at: datetime, task_id: UUID) -> sa.ColumnElement[bool]:
    """The condition that a task comes after this position in the order of `newest`."""
    position = sa.tuple_(sa.literal(created_at, UtcDateTime()), sa.literal(task_id, sa.Uuid()))
    return sa.tuple_(_t.created_at, _t.id) < position


def newest(
    connection: Connection,
    wanted: Sequence[sa.ColumnElement[bool]],
    *,
    offset: int = 0,
    limit: int,
) -> list[Task]:
    """Tasks that meet all conditions, newest first; ids break ties."""
    rows = connection.execute(
        sa.select(export_task)
        .where(*wanted)
        .order_by(_t.created_at.desc(), _t.id.desc())
        .offset(offset)
        .limit(limit)
    ).mappings()
    return [Task.from_row(row) for row in rows]
