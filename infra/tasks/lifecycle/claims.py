"""Which task a worker takes next: a wake-up is a token for its queue, not an order.

Of the tenants with something due in the queue, the one with the fewest running exports gets
the turn; of equal ones the one whose last turn is longest ago, which is fair with a single
slot as well; and then the one that has waited longer. Of its tasks the one that is due
longest goes first: what was tried and failed goes behind what had waited before it, or a task
that kills its worker would be the next worker's first one as well. Tenants and users at their
cap are passed over. Claims for one tenant go one by one, so no number of workers gets past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now
from waybill.infra.db.tables import export_task, in_status, throttled_queue
from waybill.infra.tasks.audit import audit, insert, wake
from waybill.infra.tasks.lifecycle.updates import change_task
from waybill.infra.tasks.model import Claim, Task
from waybill.infra.tasks.states import TaskStatus

_t = export_task.c
_waiting = export_task.alias("waiting_task")
_w = _waiting.c
_running = export_task.alias("running_task")
_r = _running.c
_h = throttled_queue.c

#: A rung's timer and the database's clock differ by milliseconds; a task whose own message
#: comes this early is let in, since turning it away would wait for the sweeper.
_EARLY = timedelta(seconds=1)


def take(
    connection: Connection,
    now: datetime,
    worker: str,
    lease: timedelta,
    which: sa.ColumnElement[bool],
    called: UUID | None,
) -> Claim | None:
    """Claim the one task `which` describes, if it still waits and is due.

    `called` is the task that the message in hand speaks of.
    """
    row = change_task(
        connection,
        now,
        (
            which,
            in_status(TaskStatus.PENDING),
            _t.joined_id.is_(None),
            _t.attempt < _t.max_attempts,
            _t.cancel_requested_at.is_(None),
            _due(_t, now, called),
        ),
        status=TaskStatus.PROCESSING,
        fence=_t.fence + 1,
        attempt=_t.attempt + 1,
        lease_owner=worker,
        lease_expires_at=now + lease,
        next_attempt_at=None,
        started_at=sa.func.coalesce(_t.started_at, now),
        rows_done=0,
        rows_total=None,
        bytes_uploaded=0,
    )
    if row is None:
        return None
    audit(
        connection,
        now,
        "claim",
        row,
        actor=worker,
        change=(TaskStatus.PENDING, TaskStatus.PROCESSING),
        detail={"attempt": row["attempt"]},
    )
    return Claim(Task.from_row(row), row["fence"], worker)


def turns(connection: Connection, queue: str, limits: Limits, called: UUID | None) -> Sequence[str]:
    """The tenants with something to claim in `queue`, in the order of their turns.

    It costs a few index probes for each tenant that waits, however many tasks it has there.
    """
    due = (*_ready(queue), _due(_w, database_now(connection), called), _uncapped(limits))
    tenants = _tenants(queue)
    tenant = tenants.c.tenant_id
    oldest = sa.select(sa.func.min(_w.created_at)).where(*due, _w.tenant_id == tenant)
    # Tasks that ended and are still there: a turn forgotten with its task counts as none.
    served = sa.select(sa.func.max(_r.started_at)).where(
        _r.tenant_id == tenant, _r.started_at.is_not(None)
    )
    turn = (
        sa.select(
            tenant,
            served.correlate(tenants).scalar_subquery().label("served"),
            oldest.correlate(tenants).scalar_subquery().label("oldest"),
            _running_of(tenant, correlate=tenants).label("running"),
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


def next_of(
    tenant: str,
    queue: str,
    now: datetime,
    limits: Limits,
    called: UUID | None,
    *,
    skip_locked: bool,
) -> sa.ColumnElement[bool]:
    """The condition for `take`: what is due longest of `tenant` in `queue`, under no cap."""
    oldest = (
        sa.select(_w.id)
        .where(
            *_ready(queue),
            _w.tenant_id == tenant,
            _due(_w, now, called),
            _uncapped(limits),
            _running_of(sa.literal(tenant), correlate=None) < limits.max_running_per_tenant,
        )
        .order_by(sa.func.coalesce(_w.next_attempt_at, _w.created_at), _w.id)
        .limit(1)
        .with_for_update(skip_locked=skip_locked)
    )
    return _t.id == oldest.scalar_subquery()


def hold_back(connection: Connection, now: datetime, queue: str, tenants: Iterable[str]) -> None:
    """Note that caps keep tasks of `tenants` in `queue`, and that a wake-up was spent on it."""
    for tenant in sorted(tenants):
        note = insert(connection, throttled_queue).values(tenant_id=tenant, queue=queue, at=now)
        connection.execute(
            note.on_conflict_do_update(
                index_elements=[_h.tenant_id, _h.queue], set_={"at": note.excluded.at}
            )
        )


def is_held_back(connection: Connection, tenant: str, *, besides: str) -> bool:
    """Whether `tenant` was held back in another queue than `besides`."""
    note = sa.select(_h.queue).where(_h.tenant_id == tenant, _h.queue != besides)
    return connection.execute(note.limit(1)).one_or_none() is not None


def wake_elsewhere(connection: Connection, now: datetime, ended: Task) -> None:
    """After the end of a run: a token for each other queue where its tenant was held back.

    Its own queue needs none: the worker that ended the run looks there itself.
    """
    notes = sa.select(_h.queue, _h.at).where(
        _h.tenant_id == ended.tenant_id, _h.queue != ended.queue
    )
    for queue, at in connection.execute(notes).all():
        oldest = sa.select(_w.id, _w.fence).where(*_ready(queue), _w.tenant_id == ended.tenant_id)
        task = connection.execute(oldest.order_by(_w.created_at).limit(1)).one_or_none()
        if task is not None:
            kind = f"turn-{ended.id}-{ended.fence}"
            wake(connection, now, task.id, kind=kind, fence=task.fence, queue=queue)
        else:
            # Unless it was noted anew meanwhile, for a task that this has not seen.
            note = (_h.tenant_id == ended.tenant_id, _h.queue == queue, _h.at == at)
            connection.execute(sa.delete(throttled_queue).where(*note))


def _ready(queue: str) -> tuple[sa.ColumnElement[bool], ...]:
    """What the index of waiting tasks holds of a queue."""
    pending = in_status(TaskStatus.PENDING, table=_waiting)
    return (_w.queue == queue, pending, _w.joined_id.is_(None))


def _due(columns: Any, now: datetime, called: UUID | None) -> sa.ColumnElement[bool]:
    due = columns.next_attempt_at
    soon = sa.and_(columns.id == called, due <= now + _EARLY)
    return sa.or_(due.is_(None), due <= now, soon)


def _tenants(queue: str) -> sa.CTE:
    """Each tenant in the queue once, found by jumping through the index; NULL comes last."""
    least = sa.select(sa.func.min(_w.tenant_id).label("tenant_id")).where(*_ready(queue))
    tenants = least.cte("tenants", recursive=True)
    following = least.where(_w.tenant_id > tenants.c.tenant_id).correlate(tenants)
    return tenants.union_all(
        sa.select(following.scalar_subquery()).where(tenants.c.tenant_id.is_not(None))
    )


def _running_of(
    tenant: sa.ColumnElement[str], *, correlate: sa.FromClause | None
) -> sa.ScalarSelect[int]:
    query = sa.select(sa.func.count(_r.id, type_=sa.BigInteger())).where(
        _r.tenant_id == tenant, in_status(TaskStatus.PROCESSING, table=_running)
    )
    return query.correlate(correlate).scalar_subquery()


def _uncapped(limits: Limits) -> sa.ColumnElement[bool]:
    """The condition that the user of a waiting task may have one more running."""
    at_cap = (
        sa.select(_r.tenant_id, _r.created_by)
        .where(in_status(TaskStatus.PROCESSING, table=_running))
        .group_by(_r.tenant_id, _r.created_by)
        .having(sa.func.count(_r.id, type_=sa.BigInteger()) >= limits.max_running_per_user)
        .correlate(None)
    )
    return sa.tuple_(_w.tenant_id, _w.created_by).not_in(at_cap)
