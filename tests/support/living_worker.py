"""A worker as the task database sees it: its heartbeats, without the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.beside import beside
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.db.tables import worker
from waybill.infra.tasks.workers import HEARTBEAT_SECONDS, Heartbeat, Workers


def heartbeat(name: str = "test-worker", queues: Sequence[str] = ("orders",)) -> Heartbeat:
    """What an idle worker with two slots says of itself."""
    return Heartbeat(name, list(queues), 2, 2, 0, None, "1.0")


def silence(engine: Engine, name: str, age: timedelta) -> None:
    """Make it look as if the last heartbeat of a worker had been this long ago."""
    with write_transaction(engine) as connection:
        seen = database_now(connection) - age
        connection.execute(sa.update(worker).where(worker.c.name == name).values(seen_at=seen))


@contextmanager
def living_worker(engine: Engine, queues: Sequence[str]) -> Iterator[None]:
    """A worker that says it lives for as long as the context is open."""
    workers = Workers(engine)
    workers.beat(heartbeat(queues=queues))

    def beat(stop: Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            workers.beat(heartbeat(queues=queues))

    try:
        with beside(beat, "living-worker"):
            yield
    finally:
        workers.leave("test-worker")
