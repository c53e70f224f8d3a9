"""Dead letters: messages that ended, why, and putting their work back as a person decides.

The broker's dead queue only carries them here; the table is what people look at. A letter is
recorded once however often its message comes, and replayed at most once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import ExportRejected
from waybill.infra.broker.port import BadMessage, WakeUp
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import dead_letter, export_task
from waybill.infra.tasks.audit import audit, insert_ignoring
from waybill.infra.tasks.lifecycle.submission import submit
from waybill.infra.tasks.model import NewTask, Task
from waybill.infra.tasks.states import TaskStatus

_d = dead_letter.c

#: As much of a foreign message as is kept for a person to look at.
_SHOWN_BYTES = 4096


class DeadLetterNotFound(ExportRejected, KeyError):
    """There is no such dead letter."""

    code = "dead_letter_not_found"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that ended, and the task it spoke of."""

    id: int
    at: datetime
    queue: str
    reason: str
    body: str
    task_id: UUID | None
    task_status: TaskStatus | None
    attempt: int | None
    replayed_at: datetime | None
    replayed_by: str | None
    replay_task_id: UUID | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What replaying a dead letter did: a task to look at, or the reason for doing nothing."""

    letter_id: int
    task_id: UUID | None
    #: ``replayed``, ``already_replayed``, ``no_task`` or ``not_failed``.
    outcome: str


class DeadLetters:
    """The record of dead letters, as seen from the consumer and from operators."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, body: bytes, queue: str, reason: str) -> bool:
        """Keep one dead letter; False when this very message is on record already."""
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
                .returning(_d.id)
            ).one_or_none()
            return row is not None

    def list(self, *, open_only: bool = True, limit: int = 100) -> list[DeadLetter]:
        """Dead letters of all tenants, newest first."""
        query = _LETTERS.order_by(_d.id.desc()).limit(limit)
        if open_only:
            query = query.where(_d.replayed_at.is_(None))
        with read_transaction(self._engine) as connection:
            return [_letter(row) for row in connection.execute(query).mappings()]

    def count_open(self) -> int:
        """How many dead letters wait for somebody: a figure to alert on."""
        with read_transaction(self._engine) as connection:
            query = sa.select(sa.func.count()).where(_d.replayed_at.is_(None))
            return connection.execute(query.select_from(dead_letter)).scalar_one()

    def get(self, letter_id: int) -> DeadLetter:
        """One dead letter, or `DeadLetterNotFound`."""
        with read_transaction(self._engine) as connection:
            return _get(connection, letter_id)

    def replay(self, letter_id: int, actor: str) -> Replay:
        """Ask for the letter's export again, in its owner's name, as a new task.

        Replaying twice is harmless, and so is replaying what has succeeded meanwhile: the
        letter is taken by a compare-and-set, and only a FAILED task is asked for again.
        """
        with write_transaction(self._engine) as connection:
            letter = _get(connection, letter_id)
            if letter.replayed_at is not None:
                return Replay(letter_id, letter.replay_task_id, "already_replayed")
            row = (
                connection.execute(sa.select(export_task).where(export_task.c.id == letter.task_id))
                .mappings()
                .one_or_none()
            )
            if row is None:
                return Replay(letter_id, None, "no_task")
            task = Task.from_row(row)
            if task.status != TaskStatus.FAILED:
                return Replay(letter_id, task.id, "not_failed")
            if not _take(connection, letter_id, actor):
                return Replay(letter_id, None, "already_replayed")
            again = submit(connection, task.owner, _again(task)).task
            connection.execute(
                sa.update(dead_letter).where(_d.id == letter_id).values(replay_task_id=again.id)
            )
            audit(
                connection,
                database_now(connection),
                "replay",
                row,
                actor=actor,
                detail={"dead_letter": letter_id, "task": str(again.id)},
            )
            return Replay(letter_id, again.id, "replayed")


_LETTERS = sa.select(
    _d.id,
    _d.at,
    _d.queue,
    _d.reason,
    _d.body,
    _d.task_id,
    export_task.c.status.label("task_status"),
    export_task.c.attempt,
    _d.replayed_at,
    _d.replayed_by,
    _d.replay_task_id,
).select_from(dead_letter.outerjoin(export_task, export_task.c.id == _d.task_id))


def _get(connection: Connection, letter_id: int) -> DeadLetter:
    row = connection.execute(_LETTERS.where(_d.id == letter_id)).mappings().one_or_none()
    if row is None:
        raise DeadLetterNotFound()
    return _letter(row)


def _letter(row: sa.RowMapping) -> DeadLetter:
    status = row["task_status"]
    return DeadLetter(**{**row, "task_status": TaskStatus(status) if status else None})


def _take(connection: Connection, letter_id: int, actor: str) -> bool:
    taken = connection.execute(
        sa.update(dead_letter)
        .where(_d.id == letter_id, _d.replayed_at.is_(None))
        .values(replayed_at=database_now(connection), replayed_by=actor)
    )
    return taken.rowcount == 1


def _again(task: Task) -> NewTask:
    return NewTask(
        task_type=task.task_type,
        queue=task.queue,
        format=task.format,
        params=task.params,
        filename=task.filename,
        asked_filename=task.filename,
        max_attempts=task.max_attempts,
        parent_id=task.id,
        notify=task.notify,
    )


def _task_of(body: bytes) -> UUID | None:
    try:
        return WakeUp.decode(body).task_id
    except BadMessage:
        return None


def _readable(body: bytes) -> str:
    """The body as text. NUL, which PostgreSQL's text cannot hold, is shown as a mark."""
    return body[:_SHOWN_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
