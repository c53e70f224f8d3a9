"""Each move as a function: its conditions, its values, its wake-up. See the package."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import SYSTEM, Actor, audit
from waybill.infra.tasks.file_sets import key_of_set
from waybill.infra.tasks.lifecycle.objects import (
    forget_plan,
    mark_stored,
    mark_unused,
    release_object,
)
from waybill.infra.tasks.lifecycle.single_flight import followers_of, shared_columns
from waybill.infra.tasks.lifecycle.transitions.completion import complete
from waybill.infra.tasks.lifecycle.transitions.moves import (
    CANCEL,
    EXPIRE,
    FAIL,
    FINISH,
    GIVE_UP,
    JOIN,
    LOSE,
    POSTPONE,
    RELEASE,
    REUSE,
    SUBMIT,
    Conditions,
    insert_task,
    move_tasks,
    update_tasks,
)
from waybill.infra.tasks.model import FILE_MISSING, Finished, Task, TaskRow
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c

_NO_LEASE: dict[str, Any] = {
    "claim_id": None,
    "lease_owner": None,
    "lease_expires_at": None,
    "paused_since": None,
}
_NOT_WAITING: dict[str, Any] = {"waiting_for": None, "waiting_since": None}


def submit(connection: Connection, now: datetime, values: dict[str, Any]) -> TaskRow | None:
    """Insert a task that a worker will claim; None when a unique index holds its twin."""
    row = insert_task(connection, now, SUBMIT, values)
    if row is not None:
        add_wake_up(connection, now, row, kind="run")
    return row


def join(
    connection: Connection, now: datetime, values: dict[str, Any], leader: UUID
) -> TaskRow | None:
    """Insert a task that waits for the file of `leader`; None when a twin exists.

    The caller holds the lock of `join_leader`, so the leader cannot end before this commits.
    """
    return insert_task(connection, now, JOIN, values | {"joined_id": leader})


def reuse(
    connection: Connection, now: datetime, values: dict[str, Any], source: TaskRow
) -> TaskRow | None:
    """Insert a task that has the file of `source` already; None when a twin exists."""
    shared = shared_columns(source, values["filename"])
    row = insert_task(
        connection, now, REUSE, values | shared | {"joined_id": source["id"], "finished_at": now}
    )
    if row is not None:
        complete(connection, now, row)
    return row


def finish(
    connection: Connection, now: datetime, held: Conditions, worker: str, done: Finished
) -> bool:
    """Record SUCCESS with its file; False when the claim is lost or the task was cancelled."""
    rows = move_tasks(
        connection,
        now,
        FINISH,
        (*held, _task.cancel_requested_at.is_(None)),
        actor=Actor.worker(worker),
        detail=lambda _: {"rows": done.rows_written, "bytes": done.size_bytes},
        object_key=done.object_key,
        etag=done.etag,
        sha256=done.sha256,
        size_bytes=done.size_bytes,
        bytes_uploaded=done.size_bytes,
        rows_source=done.rows_source,
        rows_written=done.rows_written,
        rows_done=done.rows_written,
        rows_total=done.rows_written,
        shards_done=sa.func.coalesce(_task.shards, 0),
        files=done.manifest.files if done.manifest else None,
        snapshot_at=done.snapshot_at,
        warnings=done.warnings,
        download_url=done.download_url,
        url_expires_at=done.url_expires_at,
        expires_at=now + done.retention,
        finished_at=now,
        error_code=None,
        error_message=None,
        flight_key=done.flight_key,
        **(done.predicted.columns if done.predicted else {}),
        **_NOT_WAITING,
        **_NO_LEASE,
    )
    if not rows:
        return False
    mark_stored(connection, done.object_key, done.manifest)
    complete(connection, now, rows[0])
    return True


def step_aside(connection: Connection, now: datetime, held: Conditions, worker: str) -> bool:
    """Mark a running task as paused, without a move: it stays claimed and PROCESSING.

    False when the claim is lost.
    """
    row = update_tasks(
        connection, now, held, paused_since=now, pauses=_task.pauses + 1
    ).one_or_none()
    if row is None:
        return False
    audit(connection, now, "step_aside", row, actor=Actor.worker(worker))
    return True


def go_on(
    connection: Connection, now: datetime, held: Conditions, worker: str, paused_for: timedelta
) -> bool:
    """Undo the mark of `step_aside`; False when the claim is lost."""
    row = update_tasks(connection, now, held, paused_since=None).one_or_none()
    if row is None:
        return False
    detail = {"paused_seconds": round(paused_for.total_seconds())}
    audit(connection, now, "go_on", row, actor=Actor.worker(worker), detail=detail)
    return True


def fail(
    connection: Connection,
    now: datetime,
    held: Conditions,
    *,
    actor: Actor,
    code: str,
    message: str,
    retry_in: timedelta | None,
    run_alone: bool = False,
) -> TaskStatus | None:
    """End an attempt that went wrong; None when `held` no longer describes a running task.

    With `retry_in` and attempts left the task becomes PENDING, with a delayed wake-up, else
    FAILED, with a dead letter. A task whose cancellation was requested becomes CANCELLED. With
    `run_alone` no other export runs beside its further attempts.
    """
    used_up = sa.true() if retry_in is None else _task.attempt >= _task.max_attempts
    cancelled = _task.cancel_requested_at.is_not(None)
    over = sa.or_(cancelled, used_up)
    delay = retry_in or timedelta(0)
    rows = move_tasks(
        connection,
        now,
        FAIL,
        held,
        actor=actor,
        detail=lambda row: {"code": code, "attempt": row["attempt"]},
        status=sa.case(
            (cancelled, TaskStatus.CANCELLED.value),
            (used_up, TaskStatus.FAILED.value),
            else_=TaskStatus.PENDING.value,
        ),
        fence=_task.fence + 1,
        retry_count=sa.case((over, _task.retry_count), else_=_task.retry_count + 1),
        next_attempt_at=sa.case((over, None), else_=_time(now + delay)),
        finished_at=sa.case((over, _time(now)), else_=None),
        error_code=code,
        error_message=message,
        run_alone=sa.or_(_task.run_alone, sa.literal(run_alone)),
        **_NOT_WAITING,
        **_NO_LEASE,
    )
    if not rows:
        return None
    row = rows[0]
    status = TaskStatus(row["status"])
    if status == TaskStatus.PENDING:
        add_wake_up(connection, now, row, kind="retry", delay=delay)
    elif status == TaskStatus.FAILED:
        add_wake_up(connection, now, row, kind="dead", reason=f"{code}: {message}")
    complete(connection, now, row)
    return status


def release(connection: Connection, now: datetime, held: Conditions, worker: str) -> bool:
    """Return a task to its queue without counting the attempt; False when the claim is lost.

    A task whose cancellation was requested becomes CANCELLED: no worker would claim it again.
    """
    cancelled = _task.cancel_requested_at.is_not(None)
    rows = move_tasks(
        connection,
        now,
        RELEASE,
        held,
        actor=Actor.worker(worker),
        status=sa.case((cancelled, TaskStatus.CANCELLED.value), else_=TaskStatus.PENDING.value),
        fence=_task.fence + 1,
        attempt=_task.attempt - 1,
        finished_at=sa.case((cancelled, _time(now)), else_=None),
        **_NO_LEASE,
    )
    if not rows:
        return False
    complete(connection, now, rows[0])
    if rows[0]["status"] == TaskStatus.PENDING:
        add_wake_up(connection, now, rows[0], kind="release")
    return True


def postpone(
    connection: Connection,
    now: datetime,
    held: Conditions,
    worker: str,
    *,
    waiting_for: str,
    code: str,
    message: str,
    delay: timedelta,
) -> bool:
    """Return a task to its queue until a part of the installation works again.

    The attempt is not counted. The time of the first such return stays, and `give_up` ends the
    task when it lies too far back. A task whose cancellation was requested becomes CANCELLED.
    False when the claim is lost.
    """
    cancelled = _task.cancel_requested_at.is_not(None)
    since = sa.func.coalesce(_task.waiting_since, _time(now))
    rows = move_tasks(
        connection,
        now,
        POSTPONE,
        held,
        actor=Actor.worker(worker),
        detail=lambda _: {"code": code, "waiting_for": waiting_for},
        status=sa.case((cancelled, TaskStatus.CANCELLED.value), else_=TaskStatus.PENDING.value),
        fence=_task.fence + 1,
        attempt=_task.attempt - 1,
        next_attempt_at=sa.case((cancelled, None), else_=_time(now + delay)),
        finished_at=sa.case((cancelled, _time(now)), else_=None),
        waiting_for=waiting_for,
        waiting_since=since,
        error_code=code,
        error_message=message,
        **_NO_LEASE,
    )
    if not rows:
        return False
    row = rows[0]
    complete(connection, now, row)
    if row["status"] == TaskStatus.PENDING:
        add_wake_up(connection, now, row, kind="postpone", delay=delay)
        if row["flight_key"] is not None:
            # Followers wait for what their leader waits for.
            waiting = {name: row[name] for name in _NOT_WAITING}
            update_tasks(connection, now, followers_of(row["id"]), **waiting).close()
    return True


def give_up(
    connection: Connection, now: datetime, task_id: UUID, since: datetime, code: str, message: str
) -> bool:
    """Fail a task that has waited for the installation since `since` or longer.

    False when it does not wait any more.
    """
    rows = move_tasks(
        connection,
        now,
        GIVE_UP,
        (_task.id == task_id, _task.waiting_since <= since),
        detail=lambda row: {"code": code, "waiting_for": row["waiting_for"]},
        fence=_task.fence + 1,
        next_attempt_at=None,
        finished_at=now,
        error_code=code,
        error_message=message,
    )
    for row in rows:
        add_wake_up(connection, now, row, kind="dead", reason=f"{code}: {message}")
        complete(connection, now, row)
    return bool(rows)


def cancel(connection: Connection, now: datetime, task: Task, actor: Actor) -> TaskRow:
    """Cancel a PENDING task, or ask the worker of a PROCESSING one to stop.

    The caller has locked the row and checked that it is live.
    """
    this = (_task.id == task.id, _task.version == task.version)
    if task.status == TaskStatus.PENDING:
        (row,) = move_tasks(
            connection,
            now,
            CANCEL,
            this,
            actor=actor,
            cancel_requested_at=now,
            fence=_task.fence + 1,
            next_attempt_at=None,
            finished_at=now,
        )
        complete(connection, now, row)
        return row
    row = update_tasks(connection, now, this, cancel_requested_at=now).one()
    audit(connection, now, "cancel", row, actor=actor)
    return row


def expire(connection: Connection, now: datetime, task_id: UUID) -> bool:
    """Take the file of a task whose retention has ended; False when it is not there to take."""
    rows = move_tasks(
        connection,
        now,
        EXPIRE,
        (_task.id == task_id, _task.expires_at < now),
        download_url=None,
        url_expires_at=None,
    )
    if rows:
        forget_plan(connection, task_id)
        release_object(connection, rows[0]["object_key"], task_id)
    return bool(rows)


def lose(connection: Connection, now: datetime, key: str, actor: Actor = SYSTEM) -> int:
    """Take the file of every task that shares the object `key`, which the store no longer has.

    Where it is one file of a set, the set is lost. Returns how many tasks there were.
    """
    key = key_of_set(connection, key)
    rows = move_tasks(
        connection,
        now,
        LOSE,
        (_task.object_key == key,),
        actor=actor,
        download_url=None,
        url_expires_at=None,
        expires_at=now,
        error_code=FILE_MISSING,
        error_message="The file is no longer in the object store.",
    )
    for row in rows:
        forget_plan(connection, row["id"])
    mark_unused(connection, key)
    return len(rows)


def _time(value: datetime) -> sa.ColumnElement[datetime]:
    return sa.literal(value, _task.created_at.type)
