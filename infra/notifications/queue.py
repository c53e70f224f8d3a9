"""Webhooks and mails that are owed, as a worker takes them: each by one worker at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import notification

_n = notification.c

#: How long a worker has for one try before another one may make it, too. Longer than the
#: deadlines of all channels: a message sent twice has the same id, but people see two mails.
CLAIM = timedelta(seconds=60)
#: Rows looked at to find some of every tenant.
_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class DueNotification:
    """One message to be delivered now. `attempt` counts from 1."""

    id: UUID
    task_id: UUID
    tenant_id: str
    channel: str
    event: str
    # The path of a webhook's URL may be a secret.
    target: str = field(repr=False)
    detail: dict[str, Any]
    created_at: datetime
    attempt: int


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How one try went. `error` is a short code; `final` means that no other try may help."""

    delivered: bool
    status: int | None = None
    error: str | None = None
    final: bool = False


class NotificationQueue:
    """Hands out what is due. Safe to use from any number of processes.

    A try is counted when it begins, so one that ends its process is counted as well. Each is
    followed by the delay at its place in `ladder`; there is one try more than there are delays.
    """

    def __init__(self, engine: Engine, ladder: Sequence[timedelta]) -> None:
        self._engine = engine
        self._ladder = tuple(ladder)

    def take(
        self, limit: int, *, per_tenant: int, without: Collection[str] = ()
    ) -> list[DueNotification]:
        """Claim up to `limit` due messages, `per_tenant` of one tenant, none of `without`."""
        with read_transaction(self._engine) as connection:
            # Most looks find nothing, and a look must not queue up behind SQLite's writers.
            due = _due(database_now(connection))
            if connection.execute(sa.select(_n.id).where(*due).limit(1)).first() is None:
                return []
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            self._give_up_interrupted(connection, now)
            rows = connection.execute(
                sa.update(notification)
                .where(_n.id.in_(_chosen(now, limit, per_tenant, without)))
                .values(claimed_until=now + CLAIM, attempts=_n.attempts + 1)
                .returning(*notification.c)
            ).mappings()
            return [
                DueNotification(
                    **{name: row[name] for name in _COPIED},
                    attempt=row["attempts"],
                )
                for row in rows
            ]

    def record(self, item: DueNotification, outcome: DeliveryResult) -> bool:
        """Note how a try went; True when it was the last one, and in vain.

        A delivery counts whoever made it. A failure counts only while the try is the latest.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            over = outcome.final or item.attempt > len(self._ladder)
            values: dict[str, Any] = {
                "claimed_until": None,
                "last_status": outcome.status,
                "last_error": outcome.error,
            }
            conditions = [_n.id == item.id, _n.delivered_at.is_(None)]
            if outcome.delivered:
                values |= {"delivered_at": now, "given_up_at": None}
            else:
                conditions.append(_n.attempts == item.attempt)
                values |= (
                    {"given_up_at": now}
                    if over
                    else {"available_at": now + self._ladder[item.attempt - 1]}
                )
            changed = connection.execute(
                sa.update(notification).where(*conditions).values(**values)
            )
            return over and not outcome.delivered and changed.rowcount == 1

    def _give_up_interrupted(self, connection: Connection, now: datetime) -> None:
        """End what has no try left and whose last one ended with its worker."""
        connection.execute(
            sa.update(notification)
            .where(*_due(now), _n.attempts > len(self._ladder))
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
        _n.delivered_at.is_(None),
        _n.given_up_at.is_(None),
        _n.available_at <= now,
        sa.or_(_n.claimed_until.is_(None), _n.claimed_until < now),
    )


def _chosen(
    now: datetime, limit: int, per_tenant: int, without: Collection[str]
) -> sa.ScalarSelect[UUID]:
    """Ids of the oldest due rows, locked; a tenant with many leaves room for the others."""
    window = (
        sa.select(_n.id, _n.tenant_id, _n.available_at)
        .where(*_due(now), _n.tenant_id.not_in(without))
        .order_by(_n.available_at)
        .limit(_WINDOW)
        .subquery()
    )
    place = sa.func.row_number().over(
        partition_by=window.c.tenant_id, order_by=(window.c.available_at, window.c.id)
    )
    ranked = sa.select(window.c.id, place.label("place")).subquery()
    fair = sa.select(ranked.c.id).where(ranked.c.place <= per_tenant)
    return (
        sa.select(_n.id)
        # Said again, because a row may have changed since the inner query saw it.
        .where(_n.id.in_(fair), *_due(now))
        .order_by(_n.available_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
