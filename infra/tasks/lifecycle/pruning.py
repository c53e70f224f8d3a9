"""Pruning: rows that nobody needs any more are deleted, in batches and by an index each.

Any number of sweepers may prune at once: each passes over what another one has locked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.batches import free_rows
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import (
    ENDED_WITHOUT_FILE,
    dead_letter,
    export_task,
    in_status,
    notification,
    outbox,
    revocation,
    row_usage,
    schedule_run,
    storage_object,
    throttled_queue,
    token_bucket,
    worker,
)
from waybill.infra.db.token_buckets import microseconds
from waybill.infra.tasks.audit import audit_each
from waybill.infra.tasks.lifecycle.deletion import delete_tasks
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_notification = notification.c
_dead_letter = dead_letter.c

#: Published outbox rows are kept this long for people who ask what happened.
_KEEP_PUBLISHED = timedelta(days=1)
#: A quota needs one day; a week lets people ask who used it up. A note of a throttled queue is
#: renewed whenever a cap holds something back.
_KEEP_USAGE = timedelta(days=7)
#: Operators see for a day which worker was lost.
_KEEP_WORKERS = timedelta(days=1)
#: Rows that one step deletes at once.
_BATCH = 1_000

Condition = sa.ColumnElement[bool]


class Pruning:
    """Deletes rows that are old enough, a batch at a time."""

    def __init__(
        self,
        engine: Engine,
        *,
        keep_tasks: timedelta = timedelta(days=90),
        keep_notices: timedelta = timedelta(days=30),
        batch: int = _BATCH,
    ) -> None:
        """`keep_tasks` counts from a task's last change, `keep_notices` from the notification."""
        self._engine = engine
        self._keep_tasks = keep_tasks
        self._keep_notices = keep_notices
        self._batch = batch

    def steps(self) -> tuple[Callable[[], int], ...]:
        """What there is to prune. Each deletes a batch at most, and returns how many rows."""
        return (
            self.prune_tasks,
            self.prune_dead_letters,
            self.prune_outbox,
            self.prune_notifications,
            self.prune_usage,
            self.prune_throttled_queues,
            self.prune_revocations,
            self.prune_token_buckets,
            self.prune_workers,
            self.prune_schedule_runs,
        )

    def prune_tasks(self) -> int:
        """Delete tasks that ended, or whose file went, more than `keep_tasks` ago.

        Never one whose file is still on record, be it only because the store does not let us
        delete it. The audit log keeps what happened to them.
        """
        with read_transaction(self._engine) as connection:
            if connection.execute(self._prunable(connection).limit(1)).first() is None:
                return 0
        with write_transaction(self._engine) as connection:
            # They are locked and read first: rows that refer to a task go before it does.
            some = self._prunable(connection).limit(self._batch).with_for_update(skip_locked=True)
            tasks = connection.execute(some).mappings().all()
            audit_each(connection, database_now(connection), "prune", tasks)
            delete_tasks(connection, [task["id"] for task in tasks])
        return len(tasks)

    def _prunable(self, connection: Connection) -> sa.Select[Any]:
        has_file = sa.exists().where(storage_object.c.key == _task.object_key)
        wrote_file = sa.exists().where(storage_object.c.task_id == _task.id)
        follower = export_task.alias("follower")
        led = sa.exists().where(
            follower.c.joined_id == _task.id, in_status(TaskStatus.PENDING, table=follower)
        )
        return (
            sa.select(_task.id, _task.tenant_id, _task.fence)
            .where(
                in_status(*ENDED_WITHOUT_FILE),
                _task.updated_at < database_now(connection) - self._keep_tasks,
                ~has_file,
                ~wrote_file,
                ~led,
            )
            .order_by(_task.updated_at)
        )

    def prune_dead_letters(self) -> int:
        """Delete dead letters older than `keep_tasks` that are handled, or of no task."""
        of_a_task = sa.exists().where(_task.id == _dead_letter.task_id)
        return self._prune(
            dead_letter,
            _dead_letter.at,
            lambda now: now - self._keep_tasks,
            sa.or_(
                _dead_letter.replayed_at.is_not(None),
                _dead_letter.dismissed_at.is_not(None),
                ~of_a_task,
            ),
        )

    def prune_outbox(self) -> int:
        """Delete wake-ups that were published more than a day ago."""
        return self._prune(outbox, outbox.c.published_at, lambda now: now - _KEEP_PUBLISHED)

    def prune_notifications(self) -> int:
        """Delete notices and delivery logs older than `keep_notices`, but none still to be sent."""
        done = sa.or_(
            _notification.delivered_at.is_not(None), _notification.given_up_at.is_not(None)
        )
        age = _notification.created_at
        return self._prune(notification, age, lambda now: now - self._keep_notices, done)

    def prune_usage(self) -> int:
        """Delete counts of rows that no quota needs any more."""
        return self._prune(row_usage, row_usage.c.day, lambda now: now.date() - _KEEP_USAGE)

    def prune_throttled_queues(self) -> int:
        """Delete notes of queues in which nothing was held back for a week."""
        return self._prune(throttled_queue, throttled_queue.c.at, lambda now: now - _KEEP_USAGE)

    def prune_revocations(self) -> int:
        """Delete revocations of tokens that have all expired."""
        return self._prune(revocation, revocation.c.expires_at, lambda now: now)

    def prune_token_buckets(self) -> int:
        """Delete buckets that are full again."""
        return self._prune(token_bucket, token_bucket.c.full_at, microseconds)

    def prune_workers(self) -> int:
        """Forget workers that did not end in order, a day after their last heartbeat."""
        return self._prune(worker, worker.c.seen_at, lambda now: now - _KEEP_WORKERS)

    def prune_schedule_runs(self) -> int:
        """Delete records of runs that are older than `keep_tasks`."""
        return self._prune(schedule_run, schedule_run.c.at, lambda now: now - self._keep_tasks)

    def _prune(
        self,
        table: sa.Table,
        age: sa.Column[Any],
        before: Callable[[datetime], date | int],
        *conditions: Condition,
    ) -> int:
        """Delete a batch of the rows that meet `conditions` and whose `age` lies too far back."""
        key = tuple(table.primary_key)
        old = sa.select(*key).where(*conditions).order_by(age)
        with read_transaction(self._engine) as connection:
            # Mostly nothing is old, and this query must not wait behind SQLite's writers.
            some = old.where(age < before(database_now(connection)))
            if connection.execute(some.limit(1)).first() is None:
                return 0
        with write_transaction(self._engine) as connection:
            some = old.where(age < before(database_now(connection)))
            which = sa.tuple_(*key) if len(key) > 1 else key[0]
            chosen = which.in_(free_rows(some.limit(self._batch)))
            # Python's sqlite3 counts no rows of a statement that begins with WITH.
            return len(connection.execute(sa.delete(table).where(chosen).returning(key[0])).all())
