"""Queue of due webhooks and mails: each is claimed by one worker at a time, at a bounded rate.

A webhook beyond the rate of its host waits. So does a mail beyond that of its mailbox, until those
that wait are merged into one. `waybill.infra.db.token_buckets` counts for all workers together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.batches import chosen_once
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import mail_opt_out, notification, token_bucket
from waybill.infra.db.token_buckets import Bucket, Rate, is_empty, take_token, wait_for_token
from waybill.infra.tasks.notifications import EMAIL

_notification = notification.c

#: How long a worker may take for one attempt before another worker may claim the message. Longer
#: than the deadline of any channel: both copies have one id, but people would see two mails.
CLAIM = timedelta(seconds=60)
#: Oldest due rows among which the claimed ones are chosen, fairly by tenant.
_WINDOW = 1000
#: Mails that one mail may report on.
_MOST_MERGED = 500
#: How long a message may wait for its receiver's rate before it is given up.
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DueNotification:
    """A webhook or mail to deliver now. `attempt` counts from 1."""

    id: UUID
    task_id: UUID
    tenant_id: str
    user_id: str
    channel: str
    event: str
    # A URL, whose path may be a secret, or a mail address.
    target: str = field(repr=False)
    detail: dict[str, Any]
    created_at: datetime
    attempt: int
    #: Other mails to the same mailbox that this one reports on as well.
    merged: tuple[DueNotification, ...] = ()

    @property
    def to_owner(self) -> bool:
        """Whether a mail goes to the user whose export it is about. False if that is unknown."""
        return bool(self.detail.get("to_owner"))


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one attempt. `error` is a short code; after `final` there is no other one."""

    delivered: bool
    status: int | None = None
    error: str | None = None
    final: bool = False


class NotificationQueue:
    """Claims due notifications and records results. Safe in any number of processes.

    An attempt counts when it starts, so that one which kills its process counts as well.
    """

    def __init__(
        self,
        engine: Engine,
        retry_delays: Sequence[timedelta],
        rates: Mapping[str, Rate] | None = None,
    ) -> None:
        """`retry_delays` stand between the attempts: one attempt more than there are delays.

        `rates` are those of one receiver, by channel; a channel that is missing has no limit.
        """
        self._engine = engine
        self._retry_delays = tuple(retry_delays)
        self._rates = dict(rates or {})

    def take(
        self, limit: int, *, per_tenant: int, without: Collection[str] = ()
    ) -> list[DueNotification]:
        """Claim up to `limit` due notifications, oldest first, as the rates of receivers allow.

        At most `per_tenant` belong to one tenant, and none to the tenants in `without`. When the
        last token of a mailbox is used, the mail reports on all others that wait for it.
        """
        with read_transaction(self._engine) as connection:
            # Mostly nothing is due, and this query must not wait behind SQLite's writers.
            now = database_now(connection)
            may_go = (*_due(now), sa.or_(~self._must_wait(now), _waited_too_long(now)))
            query = sa.select(_notification.id).where(*may_go).limit(1)
            if connection.execute(query).first() is None:
                return []
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            self._give_up_interrupted(connection, now)
            self._give_up_too_many(connection, now)
            found = self._candidates(connection, now, limit, per_tenant, without)
            wanted = self._give_up_opted_out(connection, now, found)
            chosen = dict(self._within_rates(connection, now, wanted))
            ids = [*chosen, *chain.from_iterable(chosen.values())]
            claimed = self._claim(connection, now, ids)
        return [
            replace(claimed[lead], merged=tuple(claimed[other] for other in others))
            for lead, others in chosen.items()
        ]

    def record(self, item: DueNotification, result: DeliveryResult) -> bool:
        """Record the result of an attempt; True when it was the last one and failed.

        A delivery counts even when another worker has claimed the notification since. A failure
        counts only for the latest attempt. What was merged into a mail has the same result.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            given_up = [
                self._record(connection, now, each, result) for each in (item, *item.merged)
            ]
            return given_up[0]

    def _record(
        self, connection: Connection, now: datetime, item: DueNotification, result: DeliveryResult
    ) -> bool:
        over = result.final or item.attempt > len(self._retry_delays)
        values: dict[str, Any] = {
            "claimed_until": None,
            "last_status": result.status,
            "last_error": result.error,
        }
        conditions = [_notification.id == item.id, _notification.delivered_at.is_(None)]
        if result.delivered:
            values |= {"delivered_at": now, "given_up_at": None}
        else:
            conditions.append(_notification.attempts == item.attempt)
            values |= (
                {"given_up_at": now}
                if over
                else {"available_at": now + self._retry_delays[item.attempt - 1]}
            )
        changed = connection.execute(sa.update(notification).where(*conditions).values(**values))
        return over and not result.delivered and changed.rowcount == 1

    def _give_up_interrupted(self, connection: Connection, now: datetime) -> None:
        """Give up notifications whose last attempt ended with its worker."""
        last = _notification.attempts > len(self._retry_delays)
        _give_up(connection, now, "interrupted", *_due(now), last)

    def _give_up_too_many(self, connection: Connection, now: datetime) -> None:
        """Give up what has waited for the rate of its receiver for too long."""
        conditions = (*_due(now), self._must_wait(now), _waited_too_long(now))
        _give_up(connection, now, "too_many", *conditions)

    def _candidates(
        self,
        connection: Connection,
        now: datetime,
        limit: int,
        per_tenant: int,
        without: Collection[str],
    ) -> list[sa.RowMapping]:
        """The oldest due rows, locked; a tenant with many rows leaves room for others."""
        due = (*_due(now), ~self._must_wait(now))
        window = (
            sa.select(_notification.id, _notification.tenant_id, _notification.available_at)
            .where(*due, _notification.tenant_id.not_in(without))
            .order_by(_notification.available_at)
            .limit(_WINDOW)
            .subquery()
        )
        place = sa.func.row_number().over(
            partition_by=window.c.tenant_id, order_by=(window.c.available_at, window.c.id)
        )
        ranked = sa.select(window.c.id, place.label("place")).subquery()
        fair = sa.select(ranked.c.id).where(ranked.c.place <= per_tenant)
        query = (
            sa.select(*_NEEDED)
            # Repeated, because a row may have changed since the inner query read it.
            .where(_notification.id.in_(chosen_once(fair)), *_due(now))
            .order_by(_notification.available_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return list(connection.execute(query).mappings())

    def _give_up_opted_out(
        self, connection: Connection, now: datetime, rows: list[sa.RowMapping]
    ) -> list[sa.RowMapping]:
        """The rows without mails to mailboxes that want none from others."""
        mailboxes = {row["bucket"] for row in rows if _goes_to_others(row)}
        if not mailboxes:
            return rows
        query = sa.select(mail_opt_out.c.mailbox).where(mail_opt_out.c.mailbox.in_(mailboxes))
        opted_out = set(connection.execute(query).scalars())
        refused = [row for row in rows if _goes_to_others(row) and row["bucket"] in opted_out]
        if refused:
            ids = [row["id"] for row in refused]
            _give_up(connection, now, "opted_out", _notification.id.in_(ids))
        return [row for row in rows if row not in refused]

    def _within_rates(
        self, connection: Connection, now: datetime, rows: list[sa.RowMapping]
    ) -> Iterator[tuple[UUID, list[UUID]]]:
        """The rows that there are tokens for, each with those that are merged into it."""
        # In one order everywhere: no two workers wait for each other's buckets.
        by_bucket = groupby(sorted(rows, key=_bucket_of), key=_bucket_of)
        for key, group in by_bucket:
            waiting = list(group)
            rate = self._rates.get(waiting[0]["channel"], _NO_LIMIT) if key else _NO_LIMIT
            bucket = Bucket(key, rate)
            leads: list[sa.RowMapping] = []
            while waiting and take_token(connection, bucket) is None:
                leads.append(waiting.pop(0))
            yield from ((row["id"], []) for row in leads[:-1])
            if leads:
                last, ids = leads[-1], [row["id"] for row in leads]
                was_last_token = last["channel"] == EMAIL and wait_for_token(connection, bucket)
                yield last["id"], _to_merge(connection, now, last, ids) if was_last_token else []

    def _claim(
        self, connection: Connection, now: datetime, ids: list[UUID]
    ) -> dict[UUID, DueNotification]:
        if not ids:
            return {}
        rows = connection.execute(
            sa.update(notification)
            .where(_notification.id.in_(ids))
            .values(claimed_until=now + CLAIM, attempts=_notification.attempts + 1)
            .returning(*notification.c)
        ).mappings()
        return {
            row["id"]: DueNotification(
                **{name: row[name] for name in _COPIED}, attempt=row["attempts"]
            )
            for row in rows
        }

    def _must_wait(self, now: datetime) -> sa.ColumnElement[bool]:
        """The condition that the receiver of a row has no token left."""
        bucket = sa.func.coalesce(_notification.bucket, "")
        return sa.or_(
            sa.false(),
            *(
                sa.and_(
                    _notification.channel == channel,
                    bucket.in_(sa.select(token_bucket.c.key).where(is_empty(now, rate))),
                )
                for channel, rate in self._rates.items()
            ),
        )


_NO_LIMIT = Rate(0)
_COPIED = (
    "id",
    "task_id",
    "tenant_id",
    "user_id",
    "channel",
    "event",
    "target",
    "detail",
    "created_at",
)
_NEEDED = [
    _notification[name] for name in ("id", "tenant_id", "user_id", "channel", "bucket", "detail")
]


def _bucket_of(row: sa.RowMapping) -> str:
    # Older versions stored none.
    return row["bucket"] or ""


def _goes_to_others(row: sa.RowMapping) -> bool:
    return row["channel"] == EMAIL and not row["detail"].get("to_owner")


def _to_merge(
    connection: Connection, now: datetime, mail: sa.RowMapping, taken: list[UUID]
) -> list[UUID]:
    """Further mails due to the mailbox of `mail`, locked: of its tenant, and for the same reader.

    A mail to somebody else names no file, so it is never merged into one to the owner.
    """
    query = (
        sa.select(*_NEEDED)
        .where(
            *_due(now),
            _notification.channel == EMAIL,
            _notification.bucket == mail["bucket"],
            _notification.tenant_id == mail["tenant_id"],
            _notification.id.not_in(taken),
        )
        .order_by(_notification.available_at)
        .limit(_MOST_MERGED)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).mappings()
    return [row["id"] for row in rows if _goes_to_others(row) == _goes_to_others(mail)]


def _give_up(
    connection: Connection, now: datetime, error: str, *conditions: sa.ColumnElement[bool]
) -> None:
    connection.execute(
        sa.update(notification)
        .where(*conditions)
        .values(given_up_at=now, claimed_until=None, last_error=error)
    )


def _due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _notification.delivered_at.is_(None),
        _notification.given_up_at.is_(None),
        _notification.available_at <= now,
        sa.or_(_notification.claimed_until.is_(None), _notification.claimed_until < now),
    )


def _waited_too_long(now: datetime) -> sa.ColumnElement[bool]:
    return _notification.available_at < now - _PATIENCE
