"""Quotas and rates: whether one more export may be stored, in the transaction that stores it.

All counts and the time are one query. Each count stops at its limit and uses an index. The same
query reads the token buckets of the rates, so a refusal writes nothing; `charge` takes the tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import WaybillError
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import advisory_lock, clock
from waybill.infra.db.inserts import insert_in
from waybill.infra.db.tables import (
    UtcDateTime,
    export_task,
    in_status,
    outbox,
    row_usage,
    token_bucket,
)
from waybill.infra.db.token_buckets import Bucket, Rate, bucket_key, take_token
from waybill.infra.tasks.model import TaskRow
from waybill.infra.tasks.states import LIVE

_task = export_task.c
_usage = row_usage.c

#: More than the submits that can be open at once (PostgreSQL takes 100 connections by default).
#: Closer to a limit than this, submits of a user or tenant go one by one.
_MARGIN = 200
_QUEUE_PAUSE = timedelta(seconds=30)
_BACKLOG_PAUSE = timedelta(seconds=60)
#: Of the user, and of the tenant.
_TOO_FAST = (
    "You are starting exports too fast.",
    "Your organisation is starting exports too fast.",
)


class NotNow(WaybillError):
    """Too much at once; try again later."""

    code = "not_now"

    def __init__(self, message: str | None = None, retry_after: timedelta = _QUEUE_PAUSE) -> None:
        """`retry_after`: a retry sooner than this will hardly succeed."""
        super().__init__(message)
        self.retry_after = retry_after


class TooManyExports(NotNow):
    """Too many exports of this user or tenant wait or run."""

    code = "too_many_exports"


class DailyRowsExceeded(NotNow):
    """This user or tenant has exported too many rows today."""

    code = "daily_rows_exceeded"


class TooManySubmits(NotNow):
    """This user or tenant asks for new exports too fast."""

    code = "too_many_submits"


class BacklogFull(NotNow):
    """Too many accepted exports wait for the message broker."""

    code = "backlog_full"


@dataclass(frozen=True, slots=True)
class Measured:
    """What counts against limits, as of `now`."""

    now: datetime
    users_tasks: int
    tenants_tasks: int
    users_rows: int
    tenants_rows: int
    backlog: int
    #: Of the token buckets; None without a row.
    users_full_at: int | None
    tenants_full_at: int | None

    def refusal(self, user: Principal, limits: Limits) -> NotNow | None:
        """Why another export may not be stored now, or None."""
        if self.backlog >= limits.max_backlog:
            return BacklogFull("Exports cannot be started at the moment.", _BACKLOG_PAUSE)
        if self.users_tasks >= limits.max_queued_per_user:
            count = limits.max_queued_per_user
            return TooManyExports(f"You have {count} exports waiting or running.", _QUEUE_PAUSE)
        if self.tenants_tasks >= limits.max_queued_per_tenant:
            return TooManyExports("Your organisation has too many exports waiting.", _QUEUE_PAUSE)
        return self.spent(limits) or self.too_fast(user, limits)

    def too_fast(self, user: Principal, limits: Limits) -> NotNow | None:
        """Why no further task may be made just now, or None."""
        times = (self.users_full_at, self.tenants_full_at)
        buckets = _buckets(user, limits)
        wait, message = max(
            (bucket.wait(self.now, full_at), message)
            for bucket, full_at, message in zip(buckets, times, _TOO_FAST, strict=True)
        )
        return TooManySubmits(message, wait) if wait else None

    def spent(self, limits: Limits) -> NotNow | None:
        """Why the user may get no further rows today, or None."""
        tomorrow = datetime.combine(self.now.astimezone(UTC) + timedelta(days=1), time(), UTC)
        if self.users_rows >= limits.max_daily_rows_per_user:
            return DailyRowsExceeded(
                "You have exported as many rows today as you may.", tomorrow - self.now
            )
        if self.tenants_rows >= limits.max_daily_rows_per_tenant:
            return DailyRowsExceeded(
                "Your organisation has exported as many rows today as it may.", tomorrow - self.now
            )
        return None


def measure(connection: Connection, user: Principal, limits: Limits) -> Measured:
    """Count what counts against `limits`.

    Near a limit of waiting exports this waits for other submits of the same user or tenant, and
    later ones wait until this transaction ends: the counts stay true, and no number of
    concurrent submits exceeds the limit. SQLite has one writer anyway.
    """
    found = _count(connection, user, limits)
    if connection.dialect.name == "sqlite":
        return found
    close = [
        name
        for name, count, limit in (
            ((user.tenant,), found.tenants_tasks, limits.max_queued_per_tenant),
            ((user.tenant, user.user), found.users_tasks, limits.max_queued_per_user),
        )
        if count + _MARGIN >= limit
    ]
    # Always in this order: the holder of the tenant's lock never waits for one who waits for it.
    for name in close:
        advisory_lock(connection, "submit", *name)
    return _count(connection, user, limits) if close else found


def charge(connection: Connection, user: Principal, limits: Limits) -> None:
    """Take a token for the task that this transaction has made. Call it last.

    From here until the transaction ends, other submits of the same user and tenant wait.

    Raises:
        TooManySubmits: the transaction has to be rolled back.
    """
    # Always in this order. The bucket of the tenant comes last, as most wait for it.
    for bucket, message in zip(_buckets(user, limits), _TOO_FAST, strict=True):
        if wait := take_token(connection, bucket):
            raise TooManySubmits(message, wait)


def _buckets(user: Principal, limits: Limits) -> tuple[Bucket, Bucket]:
    """The bucket of the user and the bucket of the tenant."""
    return (
        Bucket(bucket_key("submits", user.tenant, user.user), Rate(limits.max_submits_per_minute)),
        Bucket(bucket_key("submits", user.tenant), Rate(limits.max_submits_per_minute_per_tenant)),
    )


def _count(connection: Connection, user: Principal, limits: Limits) -> Measured:
    now = datetime.now(UTC)
    parameters = {
        "now": now,
        "today": now.date(),
        "tenant": user.tenant,
        "user": user.user,
        "queued_per_tenant": limits.max_queued_per_tenant,
        "queued_per_user": limits.max_queued_per_user,
        "backlog": limits.max_backlog,
    }
    for name, bucket in zip(_BUCKETS, _buckets(user, limits), strict=True):
        parameters[name] = bucket.key
    return Measured(*connection.execute(_query(connection.dialect.name), parameters).one())


_BUCKETS = ("users_bucket", "tenants_bucket")


@cache
def _query(dialect: str) -> sa.Select[Any]:
    """The fields of `Measured`. Built once: that costs more than executing it (measured)."""
    now = clock(dialect, UtcDateTime())
    tenant, user = sa.bindparam("tenant", type_=sa.Text()), sa.bindparam("user", type_=sa.Text())
    tenants = (_task.tenant_id == tenant, _task.dedupe_key.is_not(None), in_status(*LIVE))
    days = (_usage.tenant_id == tenant, _usage.day == sa.bindparam("today", type_=sa.Date()))
    return sa.select(
        now,
        _up_to("queued_per_user", _task.id, *tenants, _task.created_by == user),
        _up_to("queued_per_tenant", _task.id, *tenants),
        _rows_of(*days, _usage.user_id == user),
        _rows_of(*days),
        _up_to("backlog", outbox.c.id, outbox.c.published_at.is_(None)),
        *(_full_at(name) for name in _BUCKETS),
    )


def _up_to(limit: str, column: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> Any:
    """How many rows there are, counted no further than the limit of this name."""
    end = sa.bindparam(limit, type_=sa.BigInteger())
    some = sa.select(column).where(*conditions).limit(end).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


def _full_at(name: str) -> Any:
    key = sa.bindparam(name, type_=sa.Text())
    return sa.select(token_bucket.c.full_at).where(token_bucket.c.key == key).scalar_subquery()


def _rows_of(*conditions: sa.ColumnElement[bool]) -> Any:
    total = sa.cast(sa.func.coalesce(sa.func.sum(_usage.rows), 0), sa.BigInteger())
    return sa.select(total).where(*conditions).scalar_subquery()


def count_rows(connection: Connection, now: datetime, ended: Iterable[TaskRow]) -> None:
    """Add the rows of finished exports to their users' day.

    Call it once in a transaction: it locks in the order of users, so two calls cannot deadlock.
    """
    day = now.astimezone(UTC).date()
    rows: dict[tuple[str, str], int] = {}
    for task in ended:
        owner = (task["tenant_id"], task["created_by"])
        rows[owner] = rows.get(owner, 0) + (task["rows_written"] or 0)
    for (tenant, user), count in sorted(rows.items()):
        row = {"tenant_id": tenant, "day": day, "user_id": user, "rows": count}
        connection.execute(_add_rows(connection.dialect.name), row)


@cache
def _add_rows(dialect: str) -> Any:
    statement = insert_in(dialect, row_usage)
    return statement.on_conflict_do_update(
        index_elements=[_usage.tenant_id, _usage.day, _usage.user_id],
        set_={"rows": _usage.rows + statement.excluded.rows},
    )
