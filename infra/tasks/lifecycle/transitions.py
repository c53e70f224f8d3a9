"""The conditional updates that move a task along its states.

Each is one UPDATE whose WHERE clause says what must still be true, so two processes that
try at once cannot both succeed, whatever they believe.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import audit, wake
from waybill.infra.tasks.lifecycle.completion import after_end
from waybill.infra.tasks.lifecycle.updates import LEASE_OVER, change_task
from waybill.infra.tasks.states import TaskStatus

_t = export_task.c


def end_attempt(
    connection: Connection,
    now: datetime,
    held: tuple[sa.ColumnElement[bool], ...],
    *,
    actor: str,
    code: str,
    message: str,
    retry_in: timedelta | None,
) -> TaskStatus | None:
    """End the attempt that the conditions `held` describe, as its database row decides."""
    used_up = sa.true() if retry_in is None else _t.attempt >= _t.max_attempts
    cancelled = _t.cancel_requested_at.is_not(None)
    over = sa.or_(cancelled, used_up)
    row = change_task(
        connection,
        now,
        held,
        status=sa.case(
            (cancelled, TaskStatus.CANCELLED.value),
            (used_up, TaskStatus.FAILED.value),
            else_=TaskStatus.PENDING.value,
        ),
        fence=_t.fence + 1,
        retry_count=sa.case((over, _t.retry_count), else_=_t.retry_count + 1),
        next_attempt_at=sa.case(
            (over, None), else_=sa.literal(now + (retry_in or timedelta(0)), _t.created_at.type)
        ),
        finished_at=sa.case((over, sa.literal(now, _t.created_at.type)), else_=None),
        error_code=code,
        error_message=message,
        **LEASE_OVER,
    )
    if row is None:
        return None
    status = TaskStatus(row["status"])
    audit(
        connection,
        now,
        "attempt_failed",
        row,
        actor=actor,
        change=(TaskStatus.PROCESSING, status),
        detail={"code": code, "attempt": row["attempt"]},
    )
    if status == TaskStatus.PENDING:
        wake(
            connection,
            now,
            row["id"],
            kind="retry",
            fence=row["fence"],
            queue=row["queue"],
            delay=retry_in or timedelta(0),
        )
    elif status == TaskStatus.FAILED:
        wake(
            connection,
            now,
            row["id"],
            kind="dead",
            fence=row["fence"],
            queue=row["queue"],
            reason=f"{code}: {message}",
        )
    after_end(connection, now, row)
    return status
