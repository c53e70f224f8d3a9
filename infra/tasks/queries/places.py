"""Where waiting tasks stand in their queues: numbers only, nothing of anybody's tasks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.queries.owned import owned_by
from waybill.infra.tasks.queries.paused import not_paused
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c

#: Waiting tasks of one user that are counted for; a page shows no more.
_MOST = 100


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """The place of one task: how many were asked for before it and still wait.

    Fair scheduling may let a task pass others, so it is a guess where several tenants wait.
    """

    task_id: UUID
    task_type: str
    format: str
    queue: str
    ahead: int
    #: Its queue or its dataset is paused.
    is_paused: bool


def places_of(connection: Connection, user: Principal) -> list[QueuePlace]:
    """The places of `user`'s tasks that a worker may claim now, oldest first.

    Left out are tasks that share the run of another one, and those between two attempts.
    """
    now = database_now(connection)
    other = export_task.alias()
    ahead = (
        sa.select(sa.func.count())
        .where(
            in_status(TaskStatus.PENDING, table=other),
            other.c.joined_id.is_(None),
            other.c.queue == _task.queue,
            other.c.created_at < _task.created_at,
            sa.or_(other.c.next_attempt_at.is_(None), other.c.next_attempt_at <= now),
        )
        .correlate(export_task)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(
            *(_task.id, _task.task_type, _task.format, _task.queue),
            ahead.label("ahead"),
            (~not_paused(export_task)).label("is_paused"),
        )
        .where(
            owned_by(user),
            in_status(TaskStatus.PENDING),
            _task.joined_id.is_(None),
            sa.or_(_task.next_attempt_at.is_(None), _task.next_attempt_at <= now),
        )
        .order_by(_task.created_at, _task.id)
        .limit(_MOST)
    )
    return [
        QueuePlace(row.id, row.task_type, row.format, row.queue, row.ahead, bool(row.is_paused))
        for row in rows
    ]
