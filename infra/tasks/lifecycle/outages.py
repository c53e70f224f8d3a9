"""Outages of the installation as tasks see them: who waits for what, and for how long at most.

A worker that had to stop claiming marks the tasks of its queues, so that people see what they
wait for. A task that was tried (`error_code`) keeps the time of its first return until it has
ended, or one whose file alone is refused would wait for ever; the mark of another one goes with
the outage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.faults import Fault
from waybill.infra.db.batches import free_rows
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c

_BATCH = 500

#: How a task ends that waited for too long and was never tried.
_NEVER_TRIED = {
    Fault.STORAGE: ("storage_unavailable", "The object store did not come back in time."),
    Fault.SOURCE: ("source_away", "The source database did not come back in time."),
}


class TaskOutages:
    """Writes about outages. Each is a compare-and-set, so any number of workers may make it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def mark(self, fault: Fault, queues: Sequence[str]) -> int:
        """Record that the due tasks of `queues` wait for `fault`; returns how many, at most 500."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            due = sa.or_(_task.next_attempt_at.is_(None), _task.next_attempt_at <= now)
            return self._change(
                connection,
                now,
                (_task.queue.in_(queues), due, _task.waiting_since.is_(None)),
                waiting_for=fault,
                waiting_since=now,
            )

    def clear(self, fault: Fault, queues: Sequence[str]) -> int:
        """Take back the marks of tasks that were never tried; returns how many, at most 500."""
        with write_transaction(self._engine) as connection:
            conditions = (
                _task.queue.in_(queues),
                _task.waiting_for == fault,
                _task.error_code.is_(None),
            )
            return self._change(
                connection,
                database_now(connection),
                conditions,
                waiting_for=None,
                waiting_since=None,
            )

    def _change(
        self,
        connection: sa.Connection,
        now: datetime,
        conditions: transitions.Conditions,
        **values: object,
    ) -> int:
        some = sa.select(_task.id).where(in_status(TaskStatus.PENDING), *conditions).limit(_BATCH)
        which = (_task.id.in_(free_rows(some)),)
        return len(transitions.update_tasks(connection, now, which, **values).all())

    def give_up(self, after: timedelta) -> int:
        """Fail tasks that have waited for longer than `after`; returns how many, at most 500."""
        with read_transaction(self._engine) as connection:
            since = database_now(connection) - after
            waiting = connection.execute(
                sa.select(_task.id, _task.waiting_for, _task.error_code, _task.error_message)
                .where(in_status(TaskStatus.PENDING), _task.waiting_since <= since)
                .limit(_BATCH)
            ).all()
        ended = 0
        for task in waiting:
            code, message = _NEVER_TRIED[Fault(task.waiting_for)]
            with write_transaction(self._engine) as connection:
                ended += transitions.give_up(
                    connection,
                    database_now(connection),
                    task.id,
                    since,
                    task.error_code or code,
                    task.error_message or message,
                )
        return ended

    def clock_ahead(self) -> timedelta:
        """How far this machine's clock is ahead of the database's; not exact to the second."""
        with read_transaction(self._engine) as connection:
            return datetime.now(UTC) - database_now(connection)
