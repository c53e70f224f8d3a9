"""Runs of tasks by workers: heartbeat, estimate, object, and how an attempt ends.

Every write after a claim names the claim's fence and its id. A worker that lost its lease, was
paused, or is on the wrong side of a network partition changes no row: its fence is too small. One
whose claim a failover of the database lost changes none either: another claim may have the same
fence, and never the same id.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.faults import Fault
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.file_keys import take_keys
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.objects import reserve_object
from waybill.infra.tasks.lifecycle.single_flight import followers_of
from waybill.infra.tasks.model import Claim, Finished, Predicted, TaskProgress
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c

#: The shortest and the longest pause of something that is tried again.
Delays = tuple[timedelta, timedelta]


class Pulse(StrEnum):
    """What a heartbeat learned."""

    ALIVE = "alive"
    CANCELLED = "cancelled"
    LOST = "lost"


class TaskRuns:
    """Writes a worker makes for the tasks it has claimed."""

    def __init__(self, engine: Engine, lease: timedelta) -> None:
        self._engine = engine
        self._lease = lease

    def known(self, tasks: Collection[UUID]) -> set[UUID]:
        """Those of these tasks that are in our database, ended or not."""
        with read_transaction(self._engine) as connection:
            found = connection.execute(sa.select(_task.id).where(_task.id.in_(tasks)))
            return set(found.scalars())

    def heartbeat(self, claim: Claim, progress: TaskProgress) -> Pulse:
        """Renew the lease, record progress, and learn whether to go on."""
        shown = asdict(progress)
        paused = shown.pop("paused")
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = transitions.update_tasks(
                connection,
                now,
                held(claim),
                lease_expires_at=now + self._lease,
                paused_since=sa.func.coalesce(_task.paused_since, now) if paused else None,
                **shown,
            ).one_or_none()
            if row is None:
                return Pulse.LOST
            if row["flight_key"] is not None:
                # Followers see the progress of their leader.
                transitions.update_tasks(connection, now, followers_of(row["id"]), **shown).close()
        return Pulse.CANCELLED if row["cancel_requested_at"] else Pulse.ALIVE

    def take_keys(self, claim: Claim) -> tuple[bytes, int] | None:
        """The sealed keys of a file with a password, and the number of the set to use.

        Each call gives another set. None when the claim is lost.
        """
        with write_transaction(self._engine) as connection:
            return take_keys(connection, claim.task.id, held(claim))

    def step_aside(self, claim: Claim) -> bool:
        """Record that the export is paused while others of its queue run. It keeps its claim.

        False when the claim is lost.
        """
        with write_transaction(self._engine) as connection:
            return transitions.step_aside(
                connection, database_now(connection), held(claim), claim.worker
            )

    def go_on(self, claim: Claim, paused_for: timedelta) -> bool:
        """Record that an export goes on that was `paused_for` so long; False as `step_aside`."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            return transitions.go_on(connection, now, held(claim), claim.worker, paused_for)

    def record_estimate(self, claim: Claim, predicted: Predicted) -> None:
        """Record the estimate made at the start, beside what the actual figures will be."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            transitions.update_tasks(connection, now, held(claim), **predicted.columns).close()

    def reserve_object(self, claim: Claim, key: str) -> bool:
        """Record the key of an upload that is about to begin, so that a crash leaves a trace.

        False when the claim is lost: nothing is recorded, and nothing may be uploaded.
        """
        with write_transaction(self._engine) as connection:
            return reserve_object(connection, database_now(connection), claim, key, held(claim))

    def finish(self, claim: Claim, done: Finished) -> bool:
        """Record SUCCESS with its object in one commit.

        False when the claim is lost or the task was cancelled: no task refers to the object
        then, and the caller should delete it.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            return transitions.finish(connection, now, held(claim), claim.worker, done)

    def fail(
        self,
        claim: Claim,
        *,
        code: str,
        message: str,
        retry_in: timedelta | None,
        run_alone: bool = False,
    ) -> TaskStatus | None:
        """End an attempt that went wrong; returns the new status, None when the claim is lost.

        With `retry_in` and attempts left, the task waits for another attempt; otherwise it is
        FAILED. A task whose cancellation was requested becomes CANCELLED instead. With `run_alone`
        its further attempts have a worker to themselves.
        """
        with write_transaction(self._engine) as connection:
            return transitions.fail(
                connection,
                database_now(connection),
                held(claim),
                actor=Actor.worker(claim.worker),
                code=code,
                message=message,
                retry_in=retry_in,
                run_alone=run_alone,
            )

    def postpone(
        self, claim: Claim, *, waiting_for: Fault, code: str, message: str, delays: Delays
    ) -> bool:
        """Return a task to its queue for a fault of the installation; the attempt is not counted.

        The pause before it may be claimed again grows with the time it has waited, within
        `delays`. False when the claim is lost.
        """
        first, longest = delays
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            waited = now - (claim.task.waiting_since or now)
            return transitions.postpone(
                connection,
                now,
                held(claim),
                claim.worker,
                waiting_for=waiting_for,
                code=code,
                message=message,
                delay=min(longest, max(first, waited / 2)),
            )

    def release(self, claim: Claim) -> bool:
        """Return a task to its queue when the worker has to stop; the attempt is not counted.

        False when the claim is lost. A task that was cancelled meanwhile ends as CANCELLED.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            return transitions.release(connection, now, held(claim), claim.worker)


def held(claim: Claim) -> transitions.Conditions:
    """The conditions that a claim still has its task."""
    return (
        _task.id == claim.task.id,
        _task.fence == claim.fence,
        _task.claim_id == claim.id,
        _task.status == TaskStatus.PROCESSING,
    )
