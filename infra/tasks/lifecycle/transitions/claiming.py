"""The move that gives a task to a worker, by a statement that is built once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.broker.port import WakeUp
from waybill.infra.db.tables import UtcDateTime, export_task
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.transitions.moves import CLAIM, prepare_move, run_move
from waybill.infra.tasks.model import ApprovalState, Claim, Task

_task = export_task.c

#: The broker's timer and the database's clock differ by milliseconds. A task whose own message
#: arrives this early is claimed, since turning it away would leave it to the sweeper.
_EARLY = timedelta(seconds=1)

#: The parameters of `is_due`, as `due_parameters` gives them.
_NOW = sa.bindparam("now", type_=UtcDateTime())
_SOON = sa.bindparam("soon", type_=UtcDateTime())
_HINT_TASK = sa.bindparam("hint_task", type_=_task.id.type)
_HINT_FENCE = sa.bindparam("hint_fence", type_=_task.fence.type)


def claim(
    connection: Connection,
    now: datetime,
    worker: str,
    lease: timedelta,
    which: sa.ColumnElement[bool],
    hint: WakeUp | None,
    *,
    alone: bool = True,
    parameters: Mapping[str, Any] | None = None,
) -> Claim | None:
    """Claim the one task that `which` describes, if it still waits, is due and may be tried.

    `hint` is the delivered message; see `is_due`. Without `alone` the worker runs other exports,
    and a task that has to run alone is not claimed. `parameters` are those of `which`.
    """
    claim_id = uuid4()
    rows = run_move(
        connection,
        now,
        CLAIM,
        _claim_statement(which, hint is not None, alone),
        {
            **due_parameters(now, hint),
            "claim": claim_id,
            "worker": worker,
            "lease_ends": now + lease,
            **(parameters or {}),
        },
        actor=Actor.worker(worker),
        detail=lambda row: {"attempt": row["attempt"]},
    )
    return Claim(Task.from_row(rows[0]), rows[0]["fence"], worker, claim_id) if rows else None


@lru_cache(maxsize=32)
def _claim_statement(which: sa.ColumnElement[bool], hinted: bool, alone: bool) -> sa.Update:
    return prepare_move(
        CLAIM,
        (
            which,
            _task.joined_id.is_(None),
            _task.attempt < _task.max_attempts,
            _task.cancel_requested_at.is_(None),
            _task.approval.is_distinct_from(ApprovalState.ASKED),
            is_due(_task, hinted=hinted),
            sa.true() if alone else ~_task.run_alone,
        ),
        fence=_task.fence + 1,
        claim_id=sa.bindparam("claim", type_=_task.claim_id.type),
        attempt=_task.attempt + 1,
        lease_owner=sa.bindparam("worker", type_=sa.Text()),
        lease_expires_at=sa.bindparam("lease_ends", type_=UtcDateTime()),
        next_attempt_at=None,
        paused_since=None,
        started_at=sa.func.coalesce(_task.started_at, _NOW),
        rows_done=0,
        rows_total=None,
        shards=None,
        shards_done=0,
        bytes_uploaded=0,
    )


def is_due(columns: Any, *, hinted: bool) -> sa.ColumnElement[bool]:
    """The condition that a task may start now, with the parameters of `due_parameters`.

    `hinted`: the task whose latest wake-up is the hint may be a little early. An older copy of a
    message, with the fence of an attempt that has ended, does not shorten the delay of a retry.
    """
    due = columns.next_attempt_at
    conditions = [due.is_(None), due <= _NOW]
    if hinted:
        latest = sa.and_(columns.id == _HINT_TASK, columns.fence == _HINT_FENCE)
        conditions.append(sa.and_(latest, due <= _SOON))
    return sa.or_(*conditions)


def due_parameters(now: datetime, hint: WakeUp | None) -> dict[str, Any]:
    """What `is_due` needs to know."""
    parameters: dict[str, Any] = {"now": now}
    if hint is not None:
        parameters |= {"soon": now + _EARLY, "hint_task": hint.task_id, "hint_fence": hint.fence}
    return parameters
