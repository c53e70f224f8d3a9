"""Token buckets: how often something may happen, counted exactly for all processes together.

A bucket is one row that holds the time at which it will be full again: the generic cell rate
algorithm (ITU-T I.371). Taking a token moves that time one interval on, in one statement, judged by
the database's clock. A bucket without a row is full, so rows whose time has passed can be deleted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.inserts import insert_in
from waybill.infra.db.tables import token_bucket

_bucket = token_bucket.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` at once, and `limit` in each further `period`. A limit of 0 is none."""

    limit: int
    period: timedelta = timedelta(minutes=1)

    @property
    def interval(self) -> int:
        """Microseconds in which one token comes back; 0 without a limit."""
        return max(1, self.period // _MICROSECOND // self.limit) if self.limit else 0

    @property
    def capacity(self) -> int:
        """Microseconds in which an empty bucket fills."""
        return self.limit * self.interval


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: its key in the table, and its rate."""

    key: str
    rate: Rate

    def wait(self, now: datetime, full_at: int | None) -> timedelta:
        """How long until there is a token, given the time on the row; none when there is one."""
        at = microseconds(now)
        start = _counted_from(at, full_at or 0, self.rate.capacity)
        return max(start + self.rate.interval - at - self.rate.capacity, 0) * _MICROSECOND


def bucket_key(kind: str, *names: str) -> str:
    """The key of the bucket of `names`: the same length for every name, and no name in it."""
    text = "\0".join(names).encode("utf-8", "surrogatepass")
    return f"{kind}:{hashlib.sha256(text).hexdigest()}"


def microseconds(moment: datetime) -> int:
    """`moment` as the table counts it: since 1970, in UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def take_token(connection: Connection, bucket: Bucket) -> timedelta | None:
    """Take one token; None when that is done, and otherwise how long until there is one.

    Nothing is taken then. Until this transaction ends, others wait who take from the same bucket:
    take last what many share, and several always in one order.
    """
    if not bucket.rate.limit:
        return None
    parameters = {
        "bucket": bucket.key,
        # Of SQLite only, whose users share one host and its clock.
        "now": microseconds(datetime.now(UTC)),
        "interval": bucket.rate.interval,
        "capacity": bucket.rate.capacity,
    }
    dialect = connection.dialect.name
    if connection.execute(_take(dialect), parameters).one_or_none() is not None:
        return None
    return wait_for_token(connection, bucket) or _MICROSECOND


def wait_for_token(connection: Connection, bucket: Bucket) -> timedelta:
    """How long until there is a token; zero when there is one."""
    if not bucket.rate.limit:
        return timedelta(0)
    parameters = {"bucket": bucket.key, "now": microseconds(datetime.now(UTC))}
    now, full_at = connection.execute(_look(connection.dialect.name), parameters).one()
    return bucket.wait(_EPOCH + now * _MICROSECOND, full_at)


def is_empty(now: datetime, rate: Rate) -> sa.ColumnElement[bool]:
    """The condition that the bucket of a row of `token_bucket` has no token at `now`."""
    if not rate.limit:
        return sa.false()
    at = microseconds(now)
    without = at + rate.capacity - rate.interval
    return sa.and_(_bucket.full_at > without, _bucket.full_at <= at + 2 * rate.capacity)


def clock(dialect: str) -> sa.ColumnElement[int]:
    """The time of the database as the table counts it; on SQLite the parameter `now`.

    As `waybill.infra.db.engine.database_now`.
    """
    if dialect != "postgresql":
        return sa.bindparam("now", type_=sa.BigInteger())
    seconds = sa.extract("epoch", sa.func.clock_timestamp())
    return sa.cast(seconds * 1_000_000, sa.BigInteger())


def _counted_from(now: int, full_at: int, capacity: int) -> int:
    """The time that the next token is added to.

    A time further ahead than two whole buckets was set by a clock that has been put back since.
    """
    return full_at if now < full_at <= now + 2 * capacity else now


@cache
def _take(dialect: str) -> Any:
    """Built once for each database. The condition is evaluated on the row that is locked."""
    now = clock(dialect)
    interval = sa.bindparam("interval", type_=sa.BigInteger())
    capacity = sa.bindparam("capacity", type_=sa.BigInteger())
    likely = sa.and_(_bucket.full_at > now, _bucket.full_at <= now + 2 * capacity)
    full_at = sa.case((likely, _bucket.full_at), else_=now) + interval
    statement = insert_in(dialect, token_bucket).values(
        key=sa.bindparam("bucket", type_=sa.Text()), full_at=now + interval
    )
    return statement.on_conflict_do_update(
        index_elements=[_bucket.key], set_={"full_at": full_at}, where=full_at <= now + capacity
    ).returning(_bucket.key)


@cache
def _look(dialect: str) -> sa.Select[Any]:
    row = sa.select(_bucket.full_at).where(_bucket.key == sa.bindparam("bucket", type_=sa.Text()))
    return sa.select(clock(dialect), row.scalar_subquery())
