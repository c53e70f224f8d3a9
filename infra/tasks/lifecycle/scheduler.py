"""Fair scheduling: which tenant's task a worker claims next.

A wake-up is a token for its queue, not an order: each wake-up, and each end of a run, claims
the next task there.

1. Tenants with a due task in the queue, except those at their cap, in this order: fewest running
   tasks; longest since they were served last, which is fair with a single slot as well; oldest
   waiting task.
2. Of that tenant the task that has been due longest, except those of users at their cap. A
   task that failed goes behind those that waited before it, or a task that kills its worker
   would be the next worker's first one as well.

Claims for one tenant go one by one, so no number of workers exceeds its cap. No task is lost to
a cap: a wake-up that a cap made useless leaves a note in `throttled_queue`, and the end of a run
looks into its own queue and wakes the queues noted for its tenant.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import WaybillError
from waybill.infra.broker.port import WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import (
    advisory_lock,
    database_now,
    read_transaction,
    write_transaction,
)
from waybill.infra.db.inserts import insert
from waybill.infra.db.tables import export_task, in_status, throttled_queue
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.model import Claim, Task
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.states import TaskStatus

_waiting_task = export_task.alias("waiting_task")
_waiting = _waiting_task.c
_running_task = export_task.alias("running_task")
_running = _running_task.c
_throttled = throttled_queue.c
_task = export_task.c


class RunsAlone(WaybillError):
    """The next task has to run alone, after its last worker was lost."""

    code = "runs_alone"


@dataclass(frozen=True, slots=True)
class FairScheduler:
    """Claims for workers, in a fair order and under `limits`."""

    engine: Engine
    lease: timedelta
    limits: Limits

    def claim_next(
        self, queue: str, worker: str, hint: WakeUp | None = None, *, alone: bool = True
    ) -> Claim | None:
        """Claim the next task of `queue`; None when there is none to claim now.

        `hint` is the delivered message: its task may be claimed a moment before it is due. Pass
        ``alone=False`` while the worker runs other exports.

        Raises:
            RunsAlone: the next task has to run alone, and `alone` is false.
        """
        claim = self._claim(queue, worker, hint, alone)
        if claim is None and self.record_throttled(queue, hint):
            # The run that reached the cap may have ended before there was a note to find.
            claim = self._claim(queue, worker, hint, alone)
        return claim

    def record_throttled(self, queue: str, hint: WakeUp | None = None) -> bool:
        """Note the tenants whose due tasks in `queue` a cap holds back; False without any."""
        with read_transaction(self.engine) as connection:
            tenants = _tenants_in_order(connection, queue, Limits.only(), hint)
        if not tenants:
            return False
        with write_transaction(self.engine) as connection:
            now = database_now(connection)
            for tenant in sorted(tenants):
                note = insert(connection, throttled_queue).values(
                    tenant_id=tenant, queue=queue, at=now
                )
                connection.execute(
                    note.on_conflict_do_update(
                        index_elements=[_throttled.tenant_id, _throttled.queue],
                        set_={"at": note.excluded.at},
                    )
                )
        return True

    def wake_throttled_queues(self, ended: Task) -> None:
        """After the end of a run: one wake-up for each other queue noted for its tenant.

        Its own queue needs none: the worker that ended the run looks there itself.
        """
        notes = sa.select(_throttled.queue, _throttled.at).where(
            _throttled.tenant_id == ended.tenant_id, _throttled.queue != ended.queue
        )
        with read_transaction(self.engine) as connection:
            if connection.execute(notes.limit(1)).one_or_none() is None:
                return
        with write_transaction(self.engine) as connection:
            now = database_now(connection)
            for queue, at in connection.execute(notes).all():
                _wake_throttled(connection, now, ended, queue, at)

    def _claim(self, queue: str, worker: str, hint: WakeUp | None, alone: bool) -> Claim | None:
        with read_transaction(self.engine) as connection:
            tenants = _tenants_in_order(connection, queue, self.limits, hint)
        # A task that is locked is passed over in the first round. The lock may be that of a
        # reader, and there may be no other wake-up for the task, so the second round waits.
        for skip_locked, tenant in itertools.product((True, False), tenants):
            with write_transaction(self.engine) as connection:
                # One transaction for each: holding two such locks could wait in a circle.
                advisory_lock(connection, "claim", tenant)
                now = database_now(connection)
                which = _next_of(tenant, queue, now, self.limits, hint, skip_locked=skip_locked)
                if claim := transitions.claim(
                    connection, now, worker, self.lease, which, hint, alone=alone
                ):
                    return claim
                if (
                    not alone
                    and connection.execute(sa.select(_task.run_alone).where(which)).scalar()
                ):
                    # It keeps its turn: passed over, it would wait for as long as others come.
                    raise RunsAlone()
        return None


def _tenants_in_order(
    connection: Connection, queue: str, limits: Limits, hint: WakeUp | None
) -> Sequence[str]:
    """The tenants with a task to claim in `queue`, in the order of their turns.

    It costs a few index probes for each tenant that waits, however many tasks it has there.
    """
    due = (
        *_ready(queue),
        transitions.is_due(_waiting, database_now(connection), hint),
        _user_below_cap(limits),
    )
    tenants = _tenants(queue)
    tenant = tenants.c.tenant_id
    oldest = sa.select(sa.func.min(_waiting.created_at)).where(*due, _waiting.tenant_id == tenant)
    # Only tasks that still exist: a turn whose task was deleted does not count.
    served = sa.select(sa.func.max(_running.started_at)).where(
        _running.tenant_id == tenant, _running.started_at.is_not(None)
    )
    turn = (
        sa.select(
            tenant,
            served.correlate(tenants).scalar_subquery().label("served"),
            oldest.correlate(tenants).scalar_subquery().label("oldest"),
            _running_count(tenant, correlate=tenants).label("running"),
        )
        .where(tenant.is_not(None))
        .subquery()
    )
    return (
        connection.execute(
            sa.select(turn.c.tenant_id)
            .where(turn.c.oldest.is_not(None), turn.c.running < limits.max_running_per_tenant)
            .order_by(turn.c.running, turn.c.served.asc().nulls_first(), turn.c.oldest)
        )
        .scalars()
        .all()
    )


def _next_of(
    tenant: str,
    queue: str,
    now: datetime,
    limits: Limits,
    hint: WakeUp | None,
    *,
    skip_locked: bool,
) -> sa.ColumnElement[bool]:
    """The condition for the task of `tenant` in `queue` that has been due longest, below caps."""
    next_task = (
        sa.select(_waiting.id)
        .where(
            *_ready(queue),
            _waiting.tenant_id == tenant,
            transitions.is_due(_waiting, now, hint),
            _user_below_cap(limits),
            _running_count(sa.literal(tenant), correlate=None) < limits.max_running_per_tenant,
        )
        .order_by(sa.func.coalesce(_waiting.next_attempt_at, _waiting.created_at), _waiting.id)
        .limit(1)
        .with_for_update(skip_locked=skip_locked)
    )
    return export_task.c.id == next_task.scalar_subquery()


def _wake_throttled(
    connection: Connection, now: datetime, ended: Task, queue: str, noted_at: datetime
) -> None:
    """Wake `queue` for its oldest task of the tenant, or delete a note that nothing waits for."""
    oldest = (
        sa.select(_waiting.id, _waiting.fence, _waiting.queue)
        .where(*_ready(queue), _waiting.tenant_id == ended.tenant_id)
        .order_by(_waiting.created_at)
        .limit(1)
    )
    task = connection.execute(oldest).mappings().one_or_none()
    if task is not None:
        add_wake_up(connection, now, task, kind=f"turn-{ended.id}-{ended.fence}")
        return
    # A note renewed meanwhile stays: it is for a task that this transaction has not seen.
    connection.execute(
        sa.delete(throttled_queue).where(
            _throttled.tenant_id == ended.tenant_id,
            _throttled.queue == queue,
            _throttled.at == noted_at,
        )
    )


def _ready(queue: str) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions of `ix_export_task_queue`: tasks of a queue that wait for a worker."""
    pending = in_status(TaskStatus.PENDING, table=_waiting_task)
    return (_waiting.queue == queue, pending, _waiting.joined_id.is_(None))


def _tenants(queue: str) -> sa.CTE:
    """Each tenant in the queue once, found by jumping through the index; NULL comes last."""
    least = sa.select(sa.func.min(_waiting.tenant_id).label("tenant_id")).where(*_ready(queue))
    tenants = least.cte("tenants", recursive=True)
    following = least.where(_waiting.tenant_id > tenants.c.tenant_id).correlate(tenants)
    return tenants.union_all(
        sa.select(following.scalar_subquery()).where(tenants.c.tenant_id.is_not(None))
    )


def _running_count(
    tenant: sa.ColumnElement[str], *, correlate: sa.FromClause | None
) -> sa.ScalarSelect[int]:
    query = sa.select(sa.func.count(_running.id, type_=sa.BigInteger())).where(
        _running.tenant_id == tenant, in_status(TaskStatus.PROCESSING, table=_running_task)
    )
    return query.correlate(correlate).scalar_subquery()


def _user_below_cap(limits: Limits) -> sa.ColumnElement[bool]:
    """The condition that the user of a waiting task may have one more running."""
    at_cap = (
        sa.select(_running.tenant_id, _running.created_by)
        .where(in_status(TaskStatus.PROCESSING, table=_running_task))
        .group_by(_running.tenant_id, _running.created_by)
        .having(sa.func.count(_running.id, type_=sa.BigInteger()) >= limits.max_running_per_user)
        .correlate(None)
    )
    return sa.tuple_(_waiting.tenant_id, _waiting.created_by).not_in(at_cap)
