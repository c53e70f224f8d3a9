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

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.errors import WaybillError
from waybill.infra.broker.port import WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import (
    advisory_lock,
    database_now,
    read_statement,
    write_transaction,
)
from waybill.infra.db.inserts import insert
from waybill.infra.db.tables import export_task, throttled_queue
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.remembered_turns import TENANTS_AT_ONCE, RememberedTurns
from waybill.infra.tasks.lifecycle.turns import (
    next_of_tenant,
    next_parameters,
    ready,
    tenants_in_order,
    waiting_task,
)
from waybill.infra.tasks.model import Claim, Task
from waybill.infra.tasks.outbox import add_wake_up

_waiting = waiting_task.c
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
    _remembered: RememberedTurns = field(default_factory=RememberedTurns, init=False, repr=False)

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

    def is_awaited(self, queue: str) -> bool:
        """Whether a task of `queue` waits that could be claimed now."""
        _, tenants = self._in_order(queue, None, 1)
        return bool(tenants)

    def record_throttled(self, queue: str, hint: WakeUp | None = None) -> bool:
        """Note the tenants whose due tasks in `queue` a cap holds back; False without any."""
        with read_statement(self.engine) as connection:
            now = database_now(connection)
            tenants = tenants_in_order(connection, now, queue, Limits.only(), hint)
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
        with read_statement(self.engine) as connection:
            if connection.execute(notes.limit(1)).one_or_none() is None:
                return
        with write_transaction(self.engine) as connection:
            now = database_now(connection)
            for queue, at in connection.execute(notes).all():
                _wake_throttled(connection, now, ended, queue, at)

    def _claim(self, queue: str, worker: str, hint: WakeUp | None, alone: bool) -> Claim | None:
        while turn := self._remembered.next(queue):
            asked_at = turn.asked_at
            tenant = [turn.tenant]
            if claim := self._claim_of(tenant, queue, worker, hint, alone, asked_at=asked_at):
                return claim
        asked_at, first = self._in_order(queue, hint, TENANTS_AT_ONCE)
        if not first:
            return None
        # A task that is locked is passed over at first. The lock may be that of a reader, and
        # there may be no other wake-up for the task, so the last round waits.
        if claim := self._claim_of(first, queue, worker, hint, alone):
            if len(first) == TENANTS_AT_ONCE:
                behind = first[first.index(claim.task.tenant_id) + 1 :]
                self._remembered.keep(queue, behind, asked_at)
            return claim
        _, tenants = self._in_order(queue, hint)
        return self._claim_of(tenants, queue, worker, hint, alone) or self._claim_of(
            tenants, queue, worker, hint, alone, skip_locked=False
        )

    def _in_order(
        self, queue: str, hint: WakeUp | None, most: int | None = None
    ) -> tuple[datetime, Sequence[str]]:
        """The tenants in the order of their turns, and when that was asked."""
        with read_statement(self.engine) as connection:
            now = database_now(connection)
            return now, tenants_in_order(connection, now, queue, self.limits, hint, most)

    def _claim_of(
        self,
        tenants: Sequence[str],
        queue: str,
        worker: str,
        hint: WakeUp | None,
        alone: bool,
        *,
        skip_locked: bool = True,
        asked_at: datetime | None = None,
    ) -> Claim | None:
        for tenant in tenants:
            with write_transaction(self.engine) as connection:
                # One transaction for each: holding two such locks could wait in a circle.
                now = advisory_lock(connection, "claim", tenant)
                which = next_of_tenant(
                    hinted=hint is not None,
                    skip_locked=skip_locked,
                    remembered=asked_at is not None,
                )
                parameters = next_parameters(tenant, queue, self.limits, asked_at)
                if claim := transitions.claim(
                    connection,
                    now,
                    worker,
                    self.lease,
                    which,
                    hint,
                    alone=alone,
                    parameters=parameters,
                ):
                    return claim
                if (
                    not alone
                    and connection.execute(
                        sa.select(_task.run_alone).where(which),
                        parameters | transitions.due_parameters(now, hint),
                    ).scalar()
                ):
                    # It keeps its turn: passed over, it would wait for as long as others come.
                    self._remembered.forget(queue)
                    raise RunsAlone()
        return None


def _wake_throttled(
    connection: Connection, now: datetime, ended: Task, queue: str, noted_at: datetime
) -> None:
    """Wake `queue` for its oldest task of the tenant, or delete a note that nothing waits for."""
    oldest = (
        sa.select(_waiting.id, _waiting.fence, _waiting.queue)
        .where(*ready(queue), _waiting.tenant_id == ended.tenant_id)
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
