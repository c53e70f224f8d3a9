"""Workers that live: each writes a heartbeat, whether it has work or not.

A queue whose name no living worker has is one that nobody takes exports from. The database's clock
decides who lives, so clocks of workers do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert
from waybill.infra.db.tables import export_task, in_status, worker
from waybill.infra.tasks.states import TaskStatus

_worker = worker.c
_task = export_task.c

#: Between two heartbeats of a worker, in seconds.
HEARTBEAT_SECONDS = 10.0
#: A worker that has been silent for this long counts as dead: two heartbeats may get lost.
ALIVE_FOR = timedelta(seconds=30)
#: Workers listed at most.
_MAX_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker says of itself."""

    name: str
    queues: Sequence[str]
    #: Exports it runs at most of each queue, and of all queues together.
    concurrency: int
    exports_at_once: int
    running: int
    #: What its claims wait for; None while it claims.
    waiting_for: str | None
    version: str


@dataclass(frozen=True, slots=True)
class WorkerRecord(Heartbeat):
    """A worker as it was seen last."""

    started_at: datetime
    seen_at: datetime
    #: Whether it was seen within `ALIVE_FOR`.
    alive: bool


@dataclass(frozen=True, slots=True)
class QueueWorkers:
    """The living workers of one queue, and what waits in it."""

    queue: str
    workers: int
    #: Exports of this queue that they run at most, all together.
    slots: int
    #: Exports that could start now, if there were a worker.
    waiting: int
    oldest_waiting_since: datetime | None


class Workers:
    """The heartbeats in the task database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def beat(self, heartbeat: Heartbeat) -> None:
        """Record that this worker lives. The first heartbeat is its start."""
        values = {**asdict(heartbeat), "queues": list(heartbeat.queues)}
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            statement = insert(connection, worker).values(**values, started_at=now, seen_at=now)
            changed = {name: statement.excluded[name] for name in (*values, "seen_at")}
            del changed["name"]
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_=changed)
            )

    def leave(self, name: str) -> None:
        """Forget a worker that ends in order. One that is killed is known until it is pruned."""
        with write_transaction(self._engine) as connection:
            connection.execute(sa.delete(worker).where(_worker.name == name))

    def all(self, *, alive_only: bool = False) -> list[WorkerRecord]:
        """The living workers by name, and those that died in the last day, the latest first."""
        with read_transaction(self._engine) as connection:
            return _records(connection, alive_only=alive_only)

    def by_queue(self, queues: Iterable[str]) -> list[QueueWorkers]:
        """For each of `queues`, who takes its exports; also where nobody does."""
        with read_transaction(self._engine) as connection:
            living = _records(connection, alive_only=True)
            now = database_now(connection)
            waiting = {
                queue: (count, oldest)
                for queue, count, oldest in connection.execute(
                    sa.select(_task.queue, sa.func.count(), sa.func.min(_task.created_at))
                    .where(
                        in_status(TaskStatus.PENDING),
                        _task.joined_id.is_(None),
                        sa.or_(_task.next_attempt_at.is_(None), _task.next_attempt_at <= now),
                    )
                    .group_by(_task.queue)
                )
            }
        return [
            QueueWorkers(queue, *_strength(queue, living), *waiting.get(queue, (0, None)))
            for queue in queues
        ]

    def strength(self, queue: str) -> tuple[int, int]:
        """The number of living workers of `queue`, and of exports they run of it at most."""
        with read_transaction(self._engine) as connection:
            return strength(connection, queue)


def strength(connection: Connection, queue: str) -> tuple[int, int]:
    """As `Workers.strength`, for a caller that has a connection."""
    return _strength(queue, _records(connection, alive_only=True))


def _records(connection: Connection, *, alive_only: bool) -> list[WorkerRecord]:
    alive = _worker.seen_at > database_now(connection) - ALIVE_FOR
    order = (alive.desc(), sa.case((alive, _worker.name)), _worker.seen_at.desc(), _worker.name)
    query = sa.select(worker, alive.label("alive")).order_by(*order).limit(_MAX_LISTED)
    if alive_only:
        query = query.where(alive)
    return [
        WorkerRecord(**{**row, "alive": bool(row["alive"])})
        for row in connection.execute(query).mappings()
    ]


def _strength(queue: str, living: Sequence[WorkerRecord]) -> tuple[int, int]:
    mine = [record for record in living if queue in record.queues]
    return len(mine), sum(min(record.concurrency, record.exports_at_once) for record in mine)
