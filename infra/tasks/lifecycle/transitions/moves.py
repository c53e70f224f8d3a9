"""The moves of a task, and the one INSERT or UPDATE behind each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.audit import SYSTEM, Actor, ActorKind, audit
from waybill.infra.tasks.file_keys import has_password
from waybill.infra.tasks.model import TaskRow
from waybill.infra.tasks.states import TRANSITIONS, TaskStatus

_task = export_task.c

Conditions = tuple[sa.ColumnElement[bool], ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One kind of move: its name in the audit log, and the edges it may take.

    Raises:
        ValueError: an edge is not in `TRANSITIONS`.
    """

    action: str
    before: TaskStatus | None
    after: tuple[TaskStatus, ...]

    def __post_init__(self) -> None:
        if self.before is None:
            return
        for status in self.after:
            if (self.before, status) not in TRANSITIONS:
                raise ValueError(f"a task cannot go from {self.before} to {status}")


SUBMIT = Move("submit", None, (TaskStatus.PENDING,))
#: A submission that has to be approved.
ASK = Move("ask", None, (TaskStatus.PENDING,))
JOIN = Move("join", None, (TaskStatus.PENDING,))
REUSE = Move("reuse", None, (TaskStatus.SUCCESS,))
CLAIM = Move("claim", TaskStatus.PENDING, (TaskStatus.PROCESSING,))
FINISH = Move("finish", TaskStatus.PROCESSING, (TaskStatus.SUCCESS,))
#: A rescue is a failed attempt as well, by the actor `SYSTEM`.
FAIL = Move(
    "attempt_failed",
    TaskStatus.PROCESSING,
    (TaskStatus.PENDING, TaskStatus.FAILED, TaskStatus.CANCELLED),
)
POSTPONE = Move("postpone", TaskStatus.PROCESSING, (TaskStatus.PENDING, TaskStatus.CANCELLED))
GIVE_UP = Move("give_up", TaskStatus.PENDING, (TaskStatus.FAILED,))
DECLINE = Move("decline", TaskStatus.PENDING, (TaskStatus.FAILED,))
UNANSWERED = Move("approval_expired", TaskStatus.PENDING, (TaskStatus.FAILED,))
RELEASE = Move("release", TaskStatus.PROCESSING, (TaskStatus.PENDING, TaskStatus.CANCELLED))
CANCEL = Move("cancel", TaskStatus.PENDING, (TaskStatus.CANCELLED,))
SHARE = Move("share", TaskStatus.PENDING, (TaskStatus.SUCCESS,))
EXPIRE = Move("expire", TaskStatus.SUCCESS, (TaskStatus.EXPIRED,))
LOSE = Move("file_missing", TaskStatus.SUCCESS, (TaskStatus.EXPIRED,))

#: What a new row holds where nothing is given: reading it back takes longer than writing it.
_DEFAULTS: dict[str, Any] = {
    column.name: None if column.server_default is None else 0 for column in _task
}


#: Naming all columns takes as long as the rest of a statement.
_UPDATE = sa.update(export_task).returning(*_task)
_MOVED_AT = sa.bindparam("moved_at", type_=_task.updated_at.type)


def insert_task(
    connection: Connection, now: datetime, move: Move, values: dict[str, Any]
) -> TaskRow | None:
    """The one INSERT of a move, and its audit row; None when a unique index holds the row."""
    (status,) = move.after
    values = values | {"status": status}
    statement = insert_ignoring(connection, export_task, _task.id)
    if connection.execute(statement, values).one_or_none() is None:
        return None
    row = _DEFAULTS | values
    audit(
        connection,
        now,
        move.action,
        row,
        actor=Actor(row["created_by"], ActorKind.USER, row["tenant_id"]),
        change=(None, status),
        detail=_detail(row),
    )
    return row


def _detail(row: TaskRow) -> dict[str, Any]:
    shares = {"shares": str(row["joined_id"])} if row["joined_id"] else {}
    reason = (row["options"] or {}).get("reason")
    protected = {"password": True} if has_password(row["options"]) else {}
    return shares | ({"reason": reason} if reason else {}) | protected


def move_tasks(
    connection: Connection,
    now: datetime,
    move: Move,
    conditions: Conditions,
    *,
    actor: Actor = SYSTEM,
    detail: Callable[[sa.RowMapping], dict[str, Any]] = lambda _: {},
    status: sa.ColumnElement[str] | None = None,
    **values: Any,
) -> list[sa.RowMapping]:
    """The one conditional UPDATE of a move, and an audit row for each task it moved.

    `status` chooses among `move.after`, where there are several.
    """
    statement = prepare_move(move, conditions, status=status, **values)
    return run_move(connection, now, move, statement, {}, actor=actor, detail=detail)


def prepare_move(
    move: Move,
    conditions: Conditions,
    *,
    status: sa.ColumnElement[str] | None = None,
    **values: Any,
) -> sa.Update:
    """The one conditional UPDATE of a move, for `run_move`.

    Building one takes longer than running it. A move that every export makes is built once, with
    parameters in place of values.
    """
    if move.before is None or (status is None and len(move.after) != 1):
        raise ValueError(f"{move.action} does not say where it goes")
    return _update(
        (*conditions, in_status(move.before)),
        status=move.after[0] if status is None else status,
        **values,
    )


def run_move(
    connection: Connection,
    now: datetime,
    move: Move,
    statement: sa.Update,
    parameters: Mapping[str, Any],
    *,
    actor: Actor = SYSTEM,
    detail: Callable[[sa.RowMapping], dict[str, Any]] = lambda _: {},
) -> list[sa.RowMapping]:
    """Run a prepared move with its parameters, and audit each task it moved."""
    rows = connection.execute(statement, {"moved_at": now, **parameters}).mappings().all()
    for row in rows:
        after = TaskStatus(row["status"])
        if after not in move.after:
            raise ValueError(f"{move.action} cannot lead to {after}")
        change = (move.before, after)
        audit(connection, now, move.action, row, actor=actor, change=change, detail=detail(row))
    return list(rows)


def update_tasks(
    connection: Connection, now: datetime, conditions: Conditions, **values: Any
) -> sa.MappingResult:
    """Change tasks without moving them: one UPDATE; returns the rows as they are now.

    It raises `version`, the ETag, so use it for everything that a client may see.
    """
    return connection.execute(_update(conditions, **values), {"moved_at": now}).mappings()


def _update(conditions: Conditions, **values: Any) -> sa.Update:
    changes = {**values, "version": _task.version + 1, "updated_at": _MOVED_AT}
    return _UPDATE.where(*conditions).values(changes)
