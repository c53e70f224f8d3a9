"""Queue of due webhooks and mails: each is claimed by one worker at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.batches import chosen_once, free_rows
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import notification

_notification = notification.c

#: How long a worker may take for one attempt before another worker may claim the message. Longer
#: than the deadline of any channel: both copies have one id, but people would see two mails.
CLAIM = timedelta(seconds=60)
#: Oldest due rows among which the claimed ones are chosen, fairly by tenant.
_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class DueNotification:
    """A webhook or mail to deliver now. `attempt` counts from 1."""

    id: UUID
    task_id: UUID
    tenant_id: str
    channel: str
    event: str
    # A URL, whose path may be a secret, or a mail address.
    target: str = field(repr=False)
    detail: dict[str, Any]
    created_at: datetime
    attempt: int


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

    def __init__(self, engine: Engine, retry_delays: Sequence[timedelta]) -> None:
        """`retry_delays` stand between the attempts: one attempt more than there are delays."""
        self._engine = engine
        self._retry_delays = tuple(retry_delays)

    def take(
        self, limit: int, *, per_tenant: int, without: Collection[str] = ()
    ) -> list[DueNotification]:
        """Claim up to `limit` due notifications, oldest first.

        At most `per_tenant` belong to one tenant, and none to the tenants in `without`.
        """
        with read_transaction(self._engine) as connection:
            # Mostly nothing is due, and this query must not wait behind SQLite's writers.
            due = _due(database_now(connection))
            if connection.execute(sa.select(_notification.id).where(*due).limit(1)).first() is None:
                return []
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            self._give_up_interrupted(connection, now)
            rows = connection.execute(
                sa.update(notification)
                .where(_notification.id.in_(_claimable(now, limit, per_tenant, without)))
                .values(claimed_until=now + CLAIM, attempts=_notification.attempts + 1)
                .returning(*notification.c)
            ).mappings()
            return [
                DueNotification(
                    **{name: row[name] for name in _COPIED},
                    attempt=row["attempts"],
                )
                for row in rows
            ]

    def record(self, item: DueNotification, result: DeliveryResult) -> bool:
        """Record the result of an attempt; True when it was the last one and failed.

        A delivery counts even when another worker has claimed the notification since. A failure
        counts only for the latest attempt.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
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
            changed = connection.execute(
                sa.update(notification).where(*conditions).values(**values)
            )
            return over and not result.delivered and changed.rowcount == 1

    def _give_up_interrupted(self, connection: Connection, now: datetime) -> None:
        """Give up notifications whose last attempt ended with its worker."""
        connection.execute(
            sa.update(notification)
            .where(*_due(now), _notification.attempts > len(self._retry_delays))
            .values(given_up_at=now, claimed_until=None, last_error="interrupted")
        )


_COPIED = (
    "id",
    "task_id",
    "tenant_id",
    "channel",
    "event",
    "target",
    "detail",
    "created_at",
)


def _due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _notification.delivered_at.is_(None),
        _notification.given_up_at.is_(None),
        _notification.available_at <= now,
        sa.or_(_notification.claimed_until.is_(None), _notification.claimed_until < now),
    )


def _claimable(
    now: datetime, limit: int, per_tenant: int, without: Collection[str]
) -> sa.Select[UUID]:
    """Ids of the oldest due rows, locked; a tenant with many rows leaves room for others."""
    window = (
        sa.select(_notification.id, _notification.tenant_id, _notification.available_at)
        .where(*_due(now), _notification.tenant_id.not_in(without))
        .order_by(_notification.available_at)
        .limit(_WINDOW)
        .subquery()
    )
    place = sa.func.row_number().over(
        partition_by=window.c.tenant_id, order_by=(window.c.available_at, window.c.id)
    )
    ranked = sa.select(window.c.id, place.label("place")).subquery()
    fair = sa.select(ranked.c.id).where(ranked.c.place <= per_tenant)
    return free_rows(
        sa.select(_notification.id)
        # Repeated, because a row may have changed since the inner query read it.
        .where(_notification.id.in_(chosen_once(fair)), *_due(now))
        .order_by(_notification.available_at)
        .limit(limit)
    )
