"""Dead letters: messages that failed for good, why, and their replay by an operator.

The broker's dead-letter queue only carries them here; operators work with the table. Each is
recorded once however often its message arrives, and replayed at most once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import ExportRejected
from waybill.infra.broker.port import BadMessage, WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import dead_letter, export_task
from waybill.infra.tasks.audit import Actor, audit, no_task
from waybill.infra.tasks.lifecycle.interventions import CheckTargets
from waybill.infra.tasks.lifecycle.submission import submit
from waybill.infra.tasks.model import AskedApproval, NewTask, Task
from waybill.infra.tasks.queries.scope import ALL_TENANTS, Scope
from waybill.infra.tasks.states import TaskStatus

_dead_letter = dead_letter.c
#: Neither replayed nor dismissed.
_OPEN = (_dead_letter.replayed_at.is_(None), _dead_letter.dismissed_at.is_(None))
#: Characters of the note of a dismissal at most.
MAX_NOTE_CHARS = 500

#: The part of a foreign message that is kept for operators to read.
_SHOWN_BYTES = 4096


class DeadLetterNotFound(ExportRejected, KeyError):
    """There is no such dead letter."""

    code = "dead_letter_not_found"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that failed for good, and the task it names."""

    id: int
    at: datetime
    queue: str
    reason: str
    body: str
    task_id: UUID | None
    #: Whose task it is; None, as for the next two, when there is no such task (any more).
    tenant: str | None
    task_status: TaskStatus | None
    attempt: int | None
    replayed_at: datetime | None
    replayed_by: str | None
    replay_task_id: UUID | None
    dismissed_at: datetime | None
    dismissed_by: str | None
    #: Why nothing had to be done.
    dismiss_note: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay: the new task, or the reason why there is none."""

    letter_id: int
    task_id: UUID | None
    #: ``replayed``, ``already_replayed``, ``no_task`` or ``not_failed``; on the command line also
    #: the code of the error that refused it.
    outcome: str


class DeadLetters:
    """The record of dead letters, for their consumer and for operators."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits | None = None,
        check_targets: CheckTargets = lambda _tenant, notify, _own: dict(notify),
    ) -> None:
        """`limits` refuse replays as they refuse new exports of the owner; None refuses none.

        `check_targets` judges again who is to be notified.
        """
        self._engine = engine
        self._limits = limits
        self._check_targets = check_targets

    def record(self, body: bytes, queue: str, reason: str) -> bool:
        """Record one dead letter; False when this very message is on record already."""
        digest = hashlib.sha256(queue.encode() + b"\0" + body).hexdigest()
        with write_transaction(self._engine) as connection:
            row = connection.execute(
                insert_ignoring(connection, dead_letter)
                .values(
                    at=database_now(connection),
                    queue=queue,
                    reason=reason or "unknown",
                    body=_readable(body),
                    message_hash=digest,
                    task_id=_task_of(body),
                )
                .returning(_dead_letter.id)
            ).one_or_none()
            return row is not None

    def list(
        self, scope: Scope, *, open_only: bool = True, reason: str | None = None, limit: int = 100
    ) -> list[DeadLetter]:
        """Dead letters of the tenants in `scope`, newest first; with `reason`, of exactly this one.

        Those without a task belong to no tenant, so only `ALL_TENANTS` has them.
        """
        query = _dead_letters(scope).order_by(_dead_letter.id.desc()).limit(limit)
        if open_only:
            query = query.where(*_OPEN)
        if reason is not None:
            query = query.where(_dead_letter.reason == reason)
        with read_transaction(self._engine) as connection:
            return [_from_row(row) for row in connection.execute(query).mappings()]

    def count_open(self, scope: Scope = ALL_TENANTS) -> int:
        """The number of dead letters that nobody handled: a figure to alert on, of all tenants."""
        open_letters = _dead_letters(scope).where(*_OPEN)
        with read_transaction(self._engine) as connection:
            query = sa.select(sa.func.count()).select_from(open_letters.subquery())
            return connection.execute(query).scalar_one()

    def get(self, scope: Scope, dead_letter_id: int) -> DeadLetter:
        """One dead letter, or `DeadLetterNotFound`."""
        with read_transaction(self._engine) as connection:
            return _get(connection, scope, dead_letter_id)

    def replay(self, scope: Scope, dead_letter_id: int, actor: Actor) -> Replay:
        """Submit the export of a dead letter again, in its owner's name, as a new task.

        Replaying twice is harmless, and so is replaying a task that has succeeded meanwhile: the
        dead letter is taken by a compare-and-set, and only a FAILED task is submitted again.

        Raises:
            DeadLetterNotFound: also if it belongs to a tenant outside of `scope`.
            NotNow, BadNotificationTarget: as for any new task of the owner. The dead letter stays
                open.
        """
        with read_transaction(self._engine) as connection:
            task = _failed_task(connection, scope, dead_letter_id)
        if isinstance(task, Replay):
            return task
        # Not in a transaction: names of hosts are looked up.
        notify = self._check_targets(task.tenant_id, task.notify or {}, None)
        with write_transaction(self._engine) as connection:
            task = _failed_task(connection, scope, dead_letter_id)
            if isinstance(task, Replay):
                return task
            if not _take(connection, dead_letter_id, actor.name):
                return Replay(dead_letter_id, None, "already_replayed")
            new = NewTask.retry_of(
                task,
                max_attempts=task.max_attempts,
                notify=notify,
                approval=AskedApproval.again(task),
            )
            again = submit(connection, task.owner, new, self._limits).task
            connection.execute(
                sa.update(dead_letter)
                .where(_dead_letter.id == dead_letter_id)
                .values(replay_task_id=again.id)
            )
            audit(
                connection,
                database_now(connection),
                "replay",
                task.identity,
                actor=actor,
                detail={"dead_letter": dead_letter_id, "task": str(again.id)},
            )
            return Replay(dead_letter_id, again.id, "replayed")

    def dismiss(self, scope: Scope, dead_letter_id: int, actor: Actor, note: str) -> DeadLetter:
        """Record that nothing has to be done about a dead letter, and why.

        Its export is not run again. Repeating the call is harmless: the first note stays. A
        replayed one stays as it is; a dismissed one can still be replayed.

        Raises:
            DeadLetterNotFound: also if it belongs to a tenant outside of `scope`.
        """
        with write_transaction(self._engine) as connection:
            letter = _get(connection, scope, dead_letter_id)
            now = database_now(connection)
            dismissed = connection.execute(
                sa.update(dead_letter)
                .where(_dead_letter.id == dead_letter_id, *_OPEN)
                .values(dismissed_at=now, dismissed_by=actor.name, dismiss_note=note)
            )
            if not dismissed.rowcount:
                return letter
            task = {**no_task(letter.tenant), "id": letter.task_id}
            detail = {"dead_letter": dead_letter_id, "note": note}
            audit(connection, now, "dismiss", task, actor=actor, detail=detail)
            return _get(connection, scope, dead_letter_id)


def _dead_letters(scope: Scope) -> sa.Select[Any]:
    tasks = dead_letter.outerjoin(export_task, export_task.c.id == _dead_letter.task_id)
    return (
        sa.select(
            _dead_letter.id,
            _dead_letter.at,
            _dead_letter.queue,
            _dead_letter.reason,
            _dead_letter.body,
            _dead_letter.task_id,
            export_task.c.tenant_id.label("tenant"),
            export_task.c.status.label("task_status"),
            export_task.c.attempt,
            _dead_letter.replayed_at,
            _dead_letter.replayed_by,
            _dead_letter.replay_task_id,
            _dead_letter.dismissed_at,
            _dead_letter.dismissed_by,
            _dead_letter.dismiss_note,
        )
        .select_from(tasks)
        .where(*scope.limits(export_task.c.tenant_id))
    )


def _get(connection: Connection, scope: Scope, dead_letter_id: int) -> DeadLetter:
    row = (
        connection.execute(_dead_letters(scope).where(_dead_letter.id == dead_letter_id))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise DeadLetterNotFound()
    return _from_row(row)


def _failed_task(connection: Connection, scope: Scope, dead_letter_id: int) -> Task | Replay:
    """The task that a replay submits again, or the reason why there is nothing to do."""
    found = _get(connection, scope, dead_letter_id)
    if found.replayed_at is not None:
        return Replay(dead_letter_id, found.replay_task_id, "already_replayed")
    query = sa.select(export_task).where(export_task.c.id == found.task_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return Replay(dead_letter_id, None, "no_task")
    task = Task.from_row(row)
    if task.status != TaskStatus.FAILED:
        return Replay(dead_letter_id, task.id, "not_failed")
    return task


def _from_row(row: sa.RowMapping) -> DeadLetter:
    status = row["task_status"]
    return DeadLetter(**{**row, "task_status": TaskStatus(status) if status else None})


def _take(connection: Connection, dead_letter_id: int, actor: str) -> bool:
    taken = connection.execute(
        sa.update(dead_letter)
        .where(_dead_letter.id == dead_letter_id, _dead_letter.replayed_at.is_(None))
        .values(replayed_at=database_now(connection), replayed_by=actor)
    )
    return taken.rowcount == 1


def _task_of(body: bytes) -> UUID | None:
    try:
        return WakeUp.decode(body).task_id
    except BadMessage:
        return None


def _readable(body: bytes) -> str:
    """The body as text; NUL, which PostgreSQL's text cannot hold, becomes U+FFFD."""
    return body[:_SHOWN_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
