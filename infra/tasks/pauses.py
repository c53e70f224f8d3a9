"""Pauses: operators keep workers from taking exports of a queue or of a dataset.

Requests are accepted all the same, and their exports wait. Exports that run go on.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import export_task, in_status, pause
from waybill.infra.tasks.audit import Actor, audit, no_task
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.queries.paused import Pause, PauseKind
from waybill.infra.tasks.states import TaskStatus

_pause = pause.c
_task = export_task.c

#: Characters of a note.
MAX_PAUSE_NOTE_CHARS = 500
#: Wake-ups after a resumption: each run that ends takes the next export without one.
_WAKE_UPS = 100


class Pauses:
    """The pauses in the task database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Pause]:
        """What is paused, by kind and name."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(sa.select(pause).order_by(_pause.kind, _pause.name))
            return [Pause(**{**row, "kind": PauseKind(row["kind"])}) for row in rows.mappings()]

    def pause(self, kind: PauseKind, name: str, actor: Actor, note: str) -> bool:
        """Let workers take no further export of it; False if it was paused already."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = {"kind": kind, "name": name, "at": now, "by": actor.name, "note": note}
            added = insert_ignoring(connection, pause).values(row).returning(_pause.name)
            if connection.execute(added).one_or_none() is None:
                return False
            detail = {"kind": kind, "name": name, "note": note}
            audit(connection, now, "pause", no_task(None), actor=actor, detail=detail)
            return True

    def resume(self, kind: PauseKind, name: str, actor: Actor) -> bool:
        """Let workers take its exports again, and wake them; False if it was not paused."""
        with write_transaction(self._engine) as connection:
            gone = sa.delete(pause).where(_pause.kind == kind, _pause.name == name)
            if connection.execute(gone.returning(_pause.name)).one_or_none() is None:
                return False
            now = database_now(connection)
            detail = {"kind": kind, "name": name}
            audit(connection, now, "resume", no_task(None), actor=actor, detail=detail)
            _wake(connection, now, kind, name)
            return True


def _wake(connection: Connection, now: datetime, kind: PauseKind, name: str) -> None:
    """Wake-ups for the exports that have waited longest: their own were used up meanwhile."""
    column = _task.queue if kind is PauseKind.QUEUE else _task.task_type
    waiting = (
        sa.select(_task.id, _task.fence, _task.queue, _task.traceparent)
        .where(in_status(TaskStatus.PENDING), _task.joined_id.is_(None), column == name)
        .order_by(_task.created_at)
        .limit(_WAKE_UPS)
    )
    for task in connection.execute(waiting).mappings().all():
        add_wake_up(connection, now, task, kind=f"resume-{now:%Y%m%d%H%M%S%f}")
