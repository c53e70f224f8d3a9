"""The outbox: wake-ups committed with their task, and published to the broker later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.broker.port import WakeUp
from waybill.infra.db.batches import free_rows
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import outbox
from waybill.infra.tasks.model import TaskRow
from waybill.timing import backoff

_message = outbox.c

#: After this, another relay may publish a claimed batch too. Publishing twice is harmless.
_CLAIM = timedelta(seconds=30)
#: The wait after the first failed publish of a message, and the longest after further ones.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 30.0


def add_wake_up(
    connection: Connection,
    now: datetime,
    task: TaskRow,
    *,
    kind: str,
    delay: timedelta = timedelta(0),
    reason: str | None = None,
) -> None:
    """Insert a wake-up for the queue of `task`; a second one of the same kind and fence is dropped.

    With a `reason` it goes to the dead letters instead of to a worker. Of `task` the columns id,
    fence and queue are read, and its trace if that is there.
    """
    row = {
        "task_id": task["id"],
        "kind": kind,
        "fence": task["fence"],
        "queue": task["queue"],
        "delay_seconds": delay.total_seconds(),
        "reason": reason,
        "traceparent": task.get("traceparent"),
        "added_at": now,
        "available_at": now,
    }
    connection.execute(insert_ignoring(connection, outbox), row)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One wake-up to be published."""

    id: int
    wake_up: WakeUp
    queue: str
    delay: timedelta
    publish_attempts: int
    #: None, or why the task ended: then the message is a dead letter.
    reason: str | None
    #: The span of the request that the task is for, if that was traced.
    traceparent: str | None

    @property
    def message_id(self) -> str:
        """The same for every try, so that copies of one message can be recognised."""
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
                sa.select(_message.id)
                .where(
                    _message.published_at.is_(None),
                    _message.available_at <= now,
                    sa.or_(_message.claimed_until.is_(None), _message.claimed_until < now),
                )
                .order_by(_message.id)
                .limit(limit)
            )
            rows = connection.execute(
                sa.update(outbox)
                .where(_message.id.in_(free_rows(due)))
                .values(claimed_until=now + _CLAIM)
                .returning(*_message)
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
                        row.traceparent,
                    )
                    for row in rows
                ),
                key=lambda item: item.id,
            )

    def mark_published(self, items: Sequence[Outgoing]) -> None:
        """Record that the broker confirmed these messages; call it only after a confirm."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.update(outbox)
                .where(_message.id.in_([item.id for item in items]))
                .values(published_at=database_now(connection), claimed_until=None)
            )

    def postpone(self, item: Outgoing) -> None:
        """Try again later: the publish failed, or its outcome is unknown."""
        wait = backoff(
            item.publish_attempts + 1,
            first=_FIRST_WAIT_SECONDS,
            longest=_LONGEST_WAIT_SECONDS,
            jitter=0.0,
        )
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.update(outbox)
                .where(_message.id == item.id)
                .values(
                    claimed_until=None,
                    publish_attempts=_message.publish_attempts + 1,
                    available_at=database_now(connection) + timedelta(seconds=wait),
                )
            )
