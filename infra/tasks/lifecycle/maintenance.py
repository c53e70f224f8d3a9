"""What the sweeper finds and mends: each step is a compare-and-set, safe to run N times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import (
    export_task,
    in_status,
    notification,
    outbox,
    row_usage,
    storage_object,
)
from waybill.infra.tasks.audit import SYSTEM, audit, wake
from waybill.infra.tasks.lifecycle.objects import let_go, referred_to
from waybill.infra.tasks.lifecycle.single_flight import hand_over, strays
from waybill.infra.tasks.lifecycle.transitions import end_attempt
from waybill.infra.tasks.lifecycle.updates import change_task
from waybill.infra.tasks.states import TaskStatus

_t = export_task.c
_s = storage_object.c
_o = outbox.c

#: After so many intervals a task in a long queue is nudged so many times more rarely.
_PATIENT = 10
#: Published outbox rows are kept this long for people who ask what happened.
_KEEP_PUBLISHED = timedelta(days=1)
#: A day's quota needs the day; a week lets people ask who used it up.
_KEEP_USAGE = timedelta(days=7)
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object, or the beginning of one, that no task refers to."""

    key: str


class Upkeep:
    """The task store, as seen from a sweeper."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rescue_expired_leases(self, retry_in: timedelta) -> int:
        """Put tasks of silent workers back to work; those without attempts left become FAILED.

        Judged by the lease, never by age: a slow export that renews its lease is left alone.
        """
        with read_transaction(self._engine) as connection:
            now = database_now(connection)
            silent = connection.execute(
                sa.select(_t.id, _t.fence)
                .where(_t.status == TaskStatus.PROCESSING, _t.lease_expires_at < now)
                .limit(_BATCH)
            ).all()
        rescued = 0
        for task_id, fence in silent:
            with write_transaction(self._engine) as connection:
                now = database_now(connection)
                still_silent = (
                    _t.id == task_id,
                    _t.fence == fence,
                    _t.status == TaskStatus.PROCESSING,
                    _t.lease_expires_at < now,
                )
                rescued += bool(
                    end_attempt(
                        connection,
                        now,
                        still_silent,
                        actor=SYSTEM,
                        code="worker_lost",
                        message="The worker stopped answering.",
                        retry_in=retry_in,
                    )
                )
        return rescued

    def nudge_forgotten(self, after: timedelta) -> int:
        """Publish again what is PENDING and due since `after`: its message seems to be lost.

        Or it waits in a long queue. A task is nudged no sooner than `after` since its last
        wake-up, and more rarely once it has waited long, so a backlog does not grow by itself.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            due = sa.func.coalesce(_t.next_attempt_at, _t.updated_at)
            patient = now - _PATIENT * after
            recent = sa.case(
                (due > patient, sa.literal(now - after, _t.created_at.type)),
                else_=sa.literal(patient, _t.created_at.type),
            )
            waiting = sa.exists().where(
                _o.task_id == _t.id, sa.or_(_o.published_at.is_(None), _o.available_at > recent)
            )
            forgotten = connection.execute(
                sa.select(_t.id, _t.fence, _t.queue)
                .where(
                    in_status(TaskStatus.PENDING),
                    _t.joined_id.is_(None),
                    due <= now - after,
                    ~waiting,
                )
                .limit(_BATCH)
            ).all()
            # The kind holds the second, and the index keeps sweepers that race to one nudge.
            kind = f"nudge-{now:%Y%m%d%H%M%S}"
            for task_id, fence, queue in forgotten:
                wake(connection, now, task_id, kind=kind, fence=fence, queue=queue)
            return len(forgotten)

    def lead_strays(self) -> int:
        """Let followers of leaders that are no longer live lead themselves."""
        with read_transaction(self._engine) as connection:
            leaders = strays(connection, _BATCH)
        moved = 0
        for leader_id in leaders:
            with write_transaction(self._engine) as connection:
                moved += hand_over(connection, database_now(connection), leader_id)
        return moved

    def expired(self) -> list[UUID]:
        """Tasks whose file is past its retention."""
        with read_transaction(self._engine) as connection:
            now = database_now(connection)
            rows = connection.execute(
                sa.select(_t.id)
                .where(in_status(TaskStatus.SUCCESS), _t.expires_at < now)
                .limit(_BATCH)
            )
            return list(rows.scalars())

    def mark_expired(self, task_id: UUID) -> None:
        """Take the file of `task_id` from its owner; an orphan, unless other tasks share it."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = change_task(
                connection,
                now,
                (_t.id == task_id, _t.status == TaskStatus.SUCCESS, _t.expires_at < now),
                status=TaskStatus.EXPIRED,
                download_url=None,
                url_expires_at=None,
            )
            if row is None:
                return
            let_go(connection, row["object_key"], task_id)
            audit(
                connection,
                now,
                "expire",
                row,
                change=(TaskStatus.SUCCESS, TaskStatus.EXPIRED),
            )

    def orphans(self) -> list[Orphan]:
        """Keys on record that no task refers to and no live claim is writing."""
        being_written = sa.exists().where(
            _t.id == _s.task_id, _t.fence == _s.fence, _t.status == TaskStatus.PROCESSING
        )
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                sa.select(_s.key)
                .where(_s.state == "OPEN", ~being_written, ~referred_to())
                .limit(_BATCH)
            )
            return [Orphan(row.key) for row in rows]

    def forget_orphan(self, orphan: Orphan) -> None:
        """Strike a key from the record, once the store holds nothing under it."""
        with write_transaction(self._engine) as connection:
            connection.execute(sa.delete(storage_object).where(_s.key == orphan.key))

    def prune_usage(self) -> int:
        """Delete counts of rows that no quota asks for any more."""
        with write_transaction(self._engine) as connection:
            old = database_now(connection).date() - _KEEP_USAGE
            return connection.execute(sa.delete(row_usage).where(row_usage.c.day < old)).rowcount

    def prune_outbox(self) -> int:
        """Delete published wake-ups that are older than a day."""
        with write_transaction(self._engine) as connection:
            old = database_now(connection) - _KEEP_PUBLISHED
            return connection.execute(sa.delete(outbox).where(_o.published_at < old)).rowcount

    def prune_notifications(self, keep: timedelta) -> int:
        """Delete notices and delivery logs older than `keep`; what is still owed stays."""
        n = notification.c
        with write_transaction(self._engine) as connection:
            old = database_now(connection) - keep
            over = sa.or_(n.delivered_at.is_not(None), n.given_up_at.is_not(None))
            statement = sa.delete(notification).where(n.created_at < old, over)
            return connection.execute(statement).rowcount
