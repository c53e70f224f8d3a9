"""Queries for the tasks of one principal; `TaskRequests` reads through these only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.batches import chosen_once
from waybill.infra.db.tables import UtcDateTime, export_task
from waybill.infra.tasks.model import Task, TaskNotFound
from waybill.infra.tasks.queries.searching import words_match
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


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What a list is narrowed to; an empty or None filter narrows nothing."""

    statuses: Sequence[TaskStatus] = ()
    task_type: str | None = None
    #: Words that the file name or a filter has, see `words_match`.
    words: str | None = None
    #: When the task was made: from the first moment, before the second.
    created_from: datetime | None = None
    created_before: datetime | None = None


class ListOrder(StrEnum):
    """The order of a list. A minus means: the largest first."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    NAME = "filename"
    NAME_REVERSED = "-filename"
    LARGEST = "-size_bytes"
    SMALLEST = "size_bytes"
    STATUS = "status"


def matching(user: Principal, narrowed: TaskFilter | None) -> list[sa.ColumnElement[bool]]:
    """The conditions of `user`'s list; None: of the whole of it."""
    conditions = [owned_by(user)]
    if narrowed is None:
        return conditions
    if narrowed.statuses:
        conditions.append(_task.status.in_(narrowed.statuses))
    if narrowed.task_type:
        conditions.append(_task.task_type == narrowed.task_type)
    if narrowed.words:
        conditions += words_match(narrowed.words)
    if narrowed.created_from:
        conditions.append(_task.created_at >= narrowed.created_from)
    if narrowed.created_before:
        conditions.append(_task.created_at < narrowed.created_before)
    return conditions


def _order_by(order: ListOrder) -> list[sa.ColumnElement[Any]]:
    """The order with ties broken by time and id, so that pages neither repeat nor miss a task.

    Any but that by time sorts the user's own tasks; no index helps.
    """
    newest_first: list[sa.ColumnElement[Any]] = [_task.created_at.desc(), _task.id.desc()]
    name, size = sa.func.lower(_task.filename), _task.size_bytes
    # Tasks without a file have no size: they are last in both directions.
    sized = sa.case((size.is_(None), 1), else_=0)
    # Alive first, then what wants attention.
    rank = {status: place for place, status in enumerate(_BY_STATUS)}
    keys: dict[ListOrder, list[sa.ColumnElement[Any]]] = {
        ListOrder.NEWEST: [],
        ListOrder.OLDEST: [_task.created_at.asc(), _task.id.asc()],
        ListOrder.NAME: [name.asc()],
        ListOrder.NAME_REVERSED: [name.desc()],
        ListOrder.LARGEST: [sized, size.desc()],
        ListOrder.SMALLEST: [sized, size.asc()],
        ListOrder.STATUS: [sa.case(rank, value=_task.status, else_=len(rank))],
    }
    return [*keys[order], *newest_first]


_BY_STATUS = (
    TaskStatus.PROCESSING,
    TaskStatus.PENDING,
    TaskStatus.FAILED,
    TaskStatus.SUCCESS,
    TaskStatus.CANCELLED,
    TaskStatus.EXPIRED,
)


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
    order: ListOrder = ListOrder.NEWEST,
    total: int | None = None,
) -> list[Task]:
    """Tasks that meet all conditions, by default newest first; ids break ties.

    With the `total` of such tasks, a page of the second half is counted from the end.
    """
    by = _order_by(order)
    query = sa.select(export_task)
    if offset:
        # What is skipped is skipped in an index, where there is one for the order, and no row of
        # it is read.
        ids = sa.select(_task.id).where(*conditions)
        left = 0 if total is None else total - offset
        if order is ListOrder.NEWEST and 0 < left < offset:
            oldest_first = ids.order_by(_task.created_at.asc(), _task.id.asc())
            ids = oldest_first.offset(max(0, left - limit)).limit(min(limit, left))
        else:
            ids = ids.order_by(*by).offset(offset).limit(limit)
        query = query.where(_task.id.in_(chosen_once(ids)))
    else:
        query = query.where(*conditions).limit(limit)
    rows = connection.execute(query.order_by(*by)).mappings()
    return [Task.from_row(row) for row in rows]
