"""The moves of a task that waits for an approval; see the package."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.approval import ApprovalDeclined, ApprovalExpired
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.audit import SYSTEM, Actor, audit
from waybill.infra.tasks.lifecycle.transitions.completion import complete
from waybill.infra.tasks.lifecycle.transitions.moves import (
    ASK,
    DECLINE,
    UNANSWERED,
    Conditions,
    insert_task,
    move_tasks,
    update_tasks,
)
from waybill.infra.tasks.model import NEVER_BY_ITSELF, ApprovalState, AskedApproval, TaskRow
from waybill.infra.tasks.notifications import insert_approval_mail
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c

#: The conditions of `ix_export_task_asked`, as constants.
AWAITS_ANSWER: Conditions = (
    _task.approval == sa.literal_column(f"'{ApprovalState.ASKED}'"),
    in_status(TaskStatus.PENDING),
)


def ask(
    connection: Connection, now: datetime, values: dict[str, Any], asked: AskedApproval
) -> TaskRow | None:
    """Insert a task that no worker may claim yet; None when a unique index holds its twin."""
    waiting = {
        "approval": ApprovalState.ASKED,
        "approval_until": now + asked.within,
        "next_attempt_at": NEVER_BY_ITSELF,
    }
    row = insert_task(connection, now, ASK, values | waiting)
    if row is not None:
        insert_approval_mail(connection, now, row, asked)
    return row


def approve(
    connection: Connection, now: datetime, task_id: UUID, actor: Actor, note: str | None
) -> TaskRow | None:
    """Let a task be claimed, without a move; None when it does not wait for an answer any more."""
    row = update_tasks(
        connection,
        now,
        _still_waits(task_id, now),
        approval=ApprovalState.APPROVED,
        next_attempt_at=None,
        **_decision(now, actor, note),
    ).one_or_none()
    if row is not None:
        audit(connection, now, "approve", row, actor=actor, detail=_said(note))
        add_wake_up(connection, now, row, kind="approved")
    return row


def decline(
    connection: Connection, now: datetime, task_id: UUID, actor: Actor, note: str | None
) -> TaskRow | None:
    """End a task that was not approved; None when it does not wait for an answer any more."""
    rows = move_tasks(
        connection,
        now,
        DECLINE,
        _still_waits(task_id, now),
        actor=actor,
        detail=lambda _: _said(note),
        approval=ApprovalState.DECLINED,
        error_code=ApprovalDeclined.code,
        error_message=f"{actor.name} declined: {note}" if note else f"{actor.name} declined.",
        **_decision(now, actor, note),
        **_ended(now),
    )
    for row in rows:
        complete(connection, now, row)
    return rows[0] if rows else None


def end_unanswered(connection: Connection, now: datetime, task_id: UUID) -> bool:
    """End a task whose time for an answer is over; False when it does not wait any more."""
    rows = move_tasks(
        connection,
        now,
        UNANSWERED,
        (_task.id == task_id, *AWAITS_ANSWER, _task.approval_until <= now),
        actor=SYSTEM,
        approval=ApprovalState.EXPIRED,
        error_code=ApprovalExpired.code,
        error_message=str(ApprovalExpired().message),
        **_ended(now),
    )
    for row in rows:
        complete(connection, now, row)
    return bool(rows)


def _still_waits(task_id: UUID, now: datetime) -> Conditions:
    return (_task.id == task_id, *AWAITS_ANSWER, _task.approval_until > now)


def _decision(now: datetime, actor: Actor, note: str | None) -> dict[str, Any]:
    return {"decided_by": actor.name, "decided_at": now, "decision_note": note}


def _ended(now: datetime) -> dict[str, Any]:
    return {"fence": _task.fence + 1, "next_attempt_at": None, "finished_at": now}


def _said(note: str | None) -> dict[str, Any]:
    return {"note": note} if note else {}
