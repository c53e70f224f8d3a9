"""Maintenance queries of the sweeper: each step is a compare-and-set, safe to run repeatedly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task, in_status, outbox
from waybill.infra.tasks.audit import SYSTEM
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.objects import forget_object, orphaned_keys
from waybill.infra.tasks.lifecycle.single_flight import followers_without_leader
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_message = outbox.c

#: A task that has waited this many intervals is republished this many times more rarely.
_SLOWDOWN = 10
#: Tasks, messages or objects that one step of one scan takes.
_BATCH = 100


class Maintenance:
    """Finds and repairs tasks, messages and objects that lost their worker or their owner."""

    def __init__(self, engine: Engine, *, batch: int = _BATCH) -> None:
        self._engine = engine
        #: The most that one query returns.
        self._batch = batch

    def rescue_expired_leases(self, retry_in: timedelta) -> int:
        """Requeue tasks whose worker is silent; without attempts left they become FAILED.

        Judged by the lease, never by age: a slow export that renews its lease is left alone.
        What takes its process down takes the exports beside it down as well, so a rescued task
        has a worker to itself from then on.
        Returns how many were rescued, at most a batch.
        """
        return self._rescue(lambda now: _task.lease_expires_at < now, retry_in)

    def rescue_leases_of(self, workers: Sequence[str], retry_in: timedelta) -> int:
        """The same for `workers` whose processes have ended, without waiting for their leases."""
        return self._rescue(lambda _: _task.lease_owner.in_(workers), retry_in)

    def _rescue(
        self, is_lost: Callable[[datetime], sa.ColumnElement[bool]], retry_in: timedelta
    ) -> int:
        with read_transaction(self._engine) as connection:
            lost = connection.execute(
                sa.select(_task.id, _task.fence, _task.claim_id)
                .where(in_status(TaskStatus.PROCESSING), is_lost(database_now(connection)))
                .limit(self._batch)
            ).all()
        rescued = 0
        for task_id, fence, claim_id in lost:
            with write_transaction(self._engine) as connection:
                now = database_now(connection)
                still_lost = (
                    _task.id == task_id,
                    _task.fence == fence,
                    _task.claim_id.is_not_distinct_from(claim_id),
                    is_lost(now),
                )
                rescued += bool(
                    transitions.fail(
                        connection,
                        now,
                        still_lost,
                        actor=SYSTEM,
                        code="worker_lost",
                        message="The worker stopped answering.",
                        retry_in=retry_in,
                        run_alone=True,
                    )
                )
        return rescued

    def republish_overdue(self, after: timedelta) -> int:
        """Send a new wake-up for tasks that are PENDING and have been due for `after`.

        Their message was lost, or they wait in a long queue. A task is republished no sooner
        than `after` since its last wake-up, and more rarely once it has waited long, so a
        backlog does not grow by itself. Returns how many, at most a batch.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            due = sa.func.coalesce(_task.next_attempt_at, _task.updated_at)
            long_ago = now - _SLOWDOWN * after
            recent = sa.case(
                (due > long_ago, sa.literal(now - after, _task.created_at.type)),
                else_=sa.literal(long_ago, _task.created_at.type),
            )
            woken = sa.exists().where(
                _message.task_id == _task.id,
                sa.or_(_message.published_at.is_(None), _message.available_at > recent),
            )
            overdue = (
                connection.execute(
                    sa.select(_task.id, _task.fence, _task.queue)
                    .where(
                        in_status(TaskStatus.PENDING),
                        _task.joined_id.is_(None),
                        due <= now - after,
                        ~woken,
                    )
                    .limit(self._batch)
                )
                .mappings()
                .all()
            )
            # The kind holds the second, so the unique index keeps sweepers that race to one.
            kind = f"reminder-{now:%Y%m%d%H%M%S}"
            for task in overdue:
                add_wake_up(connection, now, task, kind=kind)
            return len(overdue)

    def end_unanswered(self) -> int:
        """End tasks whose time for an approval is over; returns how many, at most a batch."""
        with read_transaction(self._engine) as connection:
            over = (*transitions.AWAITS_ANSWER, _task.approval_until <= database_now(connection))
            query = sa.select(_task.id).where(*over).limit(self._batch)
            ids = connection.execute(query).scalars().all()
        ended = 0
        for task_id in ids:
            with write_transaction(self._engine) as connection:
                ended += transitions.end_unanswered(connection, database_now(connection), task_id)
        return ended

    def promote_orphaned_followers(self) -> int:
        """Promote a follower of each leader that is no longer live; returns how many groups."""
        with read_transaction(self._engine) as connection:
            leaders = followers_without_leader(connection, self._batch)
        promoted = 0
        for leader_id in leaders:
            with write_transaction(self._engine) as connection:
                now = database_now(connection)
                promoted += transitions.promote_follower(connection, now, leader_id)
        return promoted

    def expired(self) -> list[UUID]:
        """Finished tasks whose retention has ended, at most a batch."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                sa.select(_task.id)
                .where(in_status(TaskStatus.SUCCESS), _task.expires_at < database_now(connection))
                .limit(self._batch)
            )
            return list(rows.scalars())

    def mark_expired(self, task_id: UUID) -> bool:
        """Move a task to EXPIRED; its object can be collected unless other tasks share it.

        False when another process has done it.
        """
        with write_transaction(self._engine) as connection:
            return transitions.expire(connection, database_now(connection), task_id)

    def orphaned_objects(self, after: str = "") -> list[str]:
        """Recorded keys that no task refers to and no live claim is writing, at most a batch.

        They are in order and begin behind `after`, so that keys which cannot be collected do not
        keep the others from their turn.
        """
        with read_transaction(self._engine) as connection:
            return orphaned_keys(connection, self._batch, after)

    def forget_object(self, key: str) -> None:
        """Remove a key from the record, once the store holds nothing under it."""
        with write_transaction(self._engine) as connection:
            forget_object(connection, key)
