"""The queries of a claim: whose turn it is, and which task of that tenant.

Each is built once, with parameters in place of values: building them takes several times as long
as running them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.broker.port import WakeUp
from waybill.infra.config.limits import Limits
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.queries.paused import not_paused
from waybill.infra.tasks.states import TaskStatus

waiting_task = export_task.alias("waiting_task")
_waiting = waiting_task.c
_running_task = export_task.alias("running_task")
_running = _running_task.c

_QUEUE = sa.bindparam("of_queue", type_=sa.Text())
_TENANT = sa.bindparam("of_tenant", type_=sa.Text())
_TENANT_CAP = sa.bindparam("tenant_cap", type_=sa.BigInteger())
_USER_CAP = sa.bindparam("user_cap", type_=sa.BigInteger())
_ASKED_AT = sa.bindparam("asked_at", type_=export_task.c.started_at.type)
_MOST = sa.bindparam("most", type_=sa.BigInteger())
#: More tenants than there are.
_ALL = 1 << 40


def tenants_in_order(
    connection: Connection,
    now: datetime,
    queue: str,
    limits: Limits,
    hint: WakeUp | None,
    most: int | None = None,
) -> Sequence[str]:
    """The tenants with a task to claim in `queue` by `now`, in the order of their turns.

    It costs three index probes for each tenant that waits, however many tasks it has there. Whether
    one of them may be claimed now is asked in this order, and for `most` tenants only.
    """
    parameters = {
        **transitions.due_parameters(now, hint),
        **_caps(limits),
        "of_queue": queue,
        "most": most or _ALL,
    }
    query = _turns(hinted=hint is not None)
    return connection.execute(query, parameters).scalars().all()


@cache
def next_of_tenant(
    *, hinted: bool, skip_locked: bool, remembered: bool = False
) -> sa.ColumnElement[bool]:
    """The condition for the task of a tenant in a queue that has been due longest, below caps.

    With `remembered` there is none if the tenant has been served since `asked_at`. Its parameters
    are those of `next_parameters` and of `transitions.due_parameters`.
    """
    served_since = sa.exists().where(_running.tenant_id == _TENANT, _running.started_at > _ASKED_AT)
    next_task = (
        sa.select(_waiting.id)
        .where(
            *ready(_QUEUE),
            _waiting.tenant_id == _TENANT,
            transitions.is_due(_waiting, hinted=hinted),
            _user_below_cap(),
            not_paused(waiting_task),
            _running_count(_TENANT, correlate=None) < _TENANT_CAP,
            *([~served_since] if remembered else []),
        )
        .order_by(sa.func.coalesce(_waiting.next_attempt_at, _waiting.created_at), _waiting.id)
        .limit(1)
        .with_for_update(skip_locked=skip_locked)
    )
    return export_task.c.id == next_task.scalar_subquery()


def next_parameters(
    tenant: str, queue: str, limits: Limits, asked_at: datetime | None = None
) -> dict[str, Any]:
    """The parameters of `next_of_tenant`."""
    known = {} if asked_at is None else {"asked_at": asked_at}
    return {"of_queue": queue, "of_tenant": tenant, **_caps(limits), **known}


def ready(queue: str | sa.ColumnElement[str]) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions of `ix_export_task_queue`: tasks of a queue that wait for a worker."""
    pending = in_status(TaskStatus.PENDING, table=waiting_task)
    return (_waiting.queue == queue, pending, _waiting.joined_id.is_(None))


def _caps(limits: Limits) -> dict[str, Any]:
    return {
        "tenant_cap": limits.max_running_per_tenant,
        "user_cap": limits.max_running_per_user,
    }


@cache
def _turns(*, hinted: bool) -> sa.Select[Any]:
    due = (
        *ready(_QUEUE),
        transitions.is_due(_waiting, hinted=hinted),
        _user_below_cap(),
        not_paused(waiting_task),
    )
    tenants = _tenants()
    tenant = tenants.c.tenant_id
    # Only tasks that still exist: a turn whose task was deleted does not count.
    served = sa.select(sa.func.max(_running.started_at)).where(
        _running.tenant_id == tenant, _running.started_at.is_not(None)
    )
    turn = (
        sa.select(
            tenant,
            served.correlate(tenants).scalar_subquery().label("served"),
            _running_count(tenant, correlate=tenants).label("running"),
        )
        .where(tenant.is_not(None))
        # Each OFFSET is a fence: without it PostgreSQL computes every column twice, and asks of
        # every tenant what only the first ones are asked.
        .offset(0)
        .subquery("turn")
    )
    oldest = sa.select(sa.func.min(_waiting.created_at)).where(
        *due, _waiting.tenant_id == turn.c.tenant_id
    )
    # Two tenants are never served at the same moment, but many may never have been.
    ties = sa.case((turn.c.served.is_(None), oldest.correlate(turn).scalar_subquery()))
    in_order = (
        sa.select(turn.c.tenant_id, turn.c.running, turn.c.served, ties.label("oldest"))
        .where(turn.c.running < _TENANT_CAP)
        .order_by(turn.c.running, turn.c.served.asc().nulls_first(), sa.literal_column("oldest"))
        .offset(0)
        .subquery("in_order")
    )
    has_due = sa.exists().where(*due, _waiting.tenant_id == in_order.c.tenant_id)
    return (
        sa.select(in_order.c.tenant_id)
        .where(has_due.correlate(in_order))
        .order_by(in_order.c.running, in_order.c.served.asc().nulls_first(), in_order.c.oldest)
        .limit(_MOST)
    )


def _tenants() -> sa.CTE:
    """Each tenant in the queue once, found by jumping through the index; NULL comes last."""
    least = sa.select(sa.func.min(_waiting.tenant_id).label("tenant_id")).where(*ready(_QUEUE))
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


def _user_below_cap() -> sa.ColumnElement[bool]:
    """The condition that the user of a waiting task may have one more running."""
    at_cap = (
        sa.select(_running.tenant_id, _running.created_by)
        .where(in_status(TaskStatus.PROCESSING, table=_running_task))
        .group_by(_running.tenant_id, _running.created_by)
        .having(sa.func.count(_running.id, type_=sa.BigInteger()) >= _USER_CAP)
        .correlate(None)
    )
    return sa.tuple_(_waiting.tenant_id, _waiting.created_by).not_in(at_cap)
