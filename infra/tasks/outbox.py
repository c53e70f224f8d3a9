"""The outbox: wake-ups that were committed with their task and still have to be published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.broker.port import WakeUp
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.db.tables import outbox

_o = outbox.c

#: How long a relay has for a batch before another one may publish it too. Twice is harmless.
_CLAIM = timedelta(seconds=30)
#: Back-off after a failed publish doubles from the first to the second of these.
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One wake-up to be published."""

    id: int
    wake_up: WakeUp
    queue: str
    delay: timedelta
    publish_attempts: int
    #: Not None: this is a dead letter, and why.
    reason: str | None

    @property
    def message_id(self) -> str:
        """The same for every try, so that a consumer could tell copies apart."""
        return f"waybill-{self.id}"


class Outbox:
    """Reads the outbox for a relay. Safe to use from any number of processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, limit: int = 100) -> list[Outgoing]:
        """Claim up to `limit` due rows for publishing, oldest first."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            due = (
                sa.select(_o.id)
                .where(
                    _o.published_at.is_(None),
                    _o.available_at <= now,
                    sa.or_(_o.claimed_until.is_(None), _o.claimed_until < now),
                )
                .order_by(_o.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            rows = connection.execute(
                sa.update(outbox)
                .where(_o.id.in_(due.scalar_subquery()))
                .values(claimed_until=now + _CLAIM)
                .returning(*_o)
            )
            return sorted(
                (
                    Outgoing(
                        row.id,
                        WakeUp(row.task_id, row.fence, row.kind),
                        row.queue,
                        timedelta(seconds=row.delay_seconds),
                        row.publish_attempts,
                        row.reason,
                    )
                    for row in rows
                ),
                key=lambda item: item.id,
            )

    def mark_published(self, items: Sequence[Outgoing]) -> None:
        """Note that the broker confirmed these messages. Only a confirm may lead here."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.update(outbox)
                .where(_o.id.in_([item.id for item in items]))
                .values(published_at=database_now(connection), claimed_until=None)
            )

    def postpone(self, item: Outgoing) -> None:
        """Try again later: the publish failed, or its outcome is unknown."""
        wait = min(_LAST_RETRY, _FIRST_RETRY * 2 ** min(item.publish_attempts, 10))
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.update(outbox)
                .where(_o.id == item.id)
                .values(
                    claimed_until=None,
                    publish_attempts=_o.publish_attempts + 1,
                    available_at=database_now(connection) + timedelta(seconds=wait),
                )
            )
