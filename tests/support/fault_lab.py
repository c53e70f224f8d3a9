"""One worker inside the test's own process: for faults that need a thread held by the hand.

Everything is wired by `waybill.infra.bootstrap`, as in a process of its own; only the rows come
from a source that stops where the test wants it to, and the files go into memory.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.auditor import Auditor, Refusal
from tests.support.eventually import eventually, wait_for
from tests.support.processes import SECRET
from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.dataset import Dataset, Query, Registry
from waybill.exporter.ports import RowCount
from waybill.exporter.rows.seals import sealed
from waybill.infra.bootstrap import Stack
from waybill.infra.broker.memory import MemoryBroker
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine, read_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.sources.errors import ReadCancelled
from waybill.infra.sources.names import ROWS as SOURCE
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.states import LIVE
from waybill.infra.worker.relay import Relay
from waybill.infra.worker.service import WorkerService
from waybill.storage.memory import MemoryStore

QUEUES = ("gated", "other")
ROWS = 20
#: Long enough for a loaded machine to renew it, short enough to wait for its end.
LEASE_SECONDS = 4.0


class GatedSource:
    """Gives ten rows, waits at a gate, and gives ten more. Every read waits at the same gate."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.gate = threading.Event()
        #: One entry for each read that has come to the gate, and one for each interrupted there.
        self.arrived: list[datetime] = []
        self.interrupted: list[datetime] = []
        #: A driver that hangs does not hear that it should stop.
        self.deaf = deaf

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        return RowCount(counted=ROWS)

    @contextmanager
    def open(self, query: Query, *, count: bool = True) -> Iterator[_GatedStream]:
        yield _GatedStream(self)


@dataclass
class _GatedStream:
    source: GatedSource
    schema: pa.Schema = field(default_factory=lambda: pa.schema([("n", pa.int64())]))
    snapshot_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows_expected: int = ROWS
    read_as_text: dict[int, int] = field(default_factory=dict)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return sealed(self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        yield self._batch(0)
        self.source.arrived.append(datetime.now(UTC))
        while not self.source.gate.wait(0.01):
            if self._cancelled.is_set():
                self.source.interrupted.append(datetime.now(UTC))
                raise ReadCancelled
        yield self._batch(ROWS // 2)

    def _batch(self, first: int) -> pa.RecordBatch:
        numbers = pa.array(range(first, first + ROWS // 2), pa.int64())
        return pa.record_batch([numbers], schema=self.schema)

    def cancel(self) -> None:
        if not self.source.deaf:
            self._cancelled.set()


@dataclass
class Lab:
    """A stack whose database may be reached by two ways: ours, and the worker's."""

    stack: Stack
    #: Ours. Faults between the worker and its database do not touch it.
    engine: Engine
    source: GatedSource
    store: MemoryStore

    def __post_init__(self) -> None:
        self.requests = TaskRequests(self.engine)

    def submit(self, queue: str = "gated", **change: Any) -> UUID:
        """Ask for one export; each call makes another task."""
        new = new_task(task_type=queue, queue=queue, format="csv", params={}, **change)
        self._asked = getattr(self, "_asked", 0) + 1
        return self.requests.submit(ANN, replace(new, asked_filename=str(self._asked))).task.id

    def row(self, task_id: UUID) -> sa.RowMapping:
        """The row of one task."""
        with read_transaction(self.engine) as connection:
            query = sa.select(export_task).where(export_task.c.id == task_id)
            return connection.execute(query).mappings().one()

    async def ended(self, task_id: UUID) -> sa.RowMapping:
        """Wait until the task has ended."""

        def look() -> sa.RowMapping | None:
            row = self.row(task_id)
            return None if row["status"] in LIVE else row

        row: sa.RowMapping = await eventually(look)
        return row

    def actions(self, task_id: UUID) -> list[str]:
        """What the audit log says was done to a task, in order."""
        with read_transaction(self.engine) as connection:
            query = sa.select(audit_log.c.action).where(audit_log.c.task_id == task_id)
            return list(connection.execute(query.order_by(audit_log.c.id)).scalars())

    async def at_the_gate(self, count: int = 1) -> None:
        """Wait until so many reads have come to the gate."""
        await eventually(lambda: len(self.source.arrived) >= count)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[WorkerService]:
        """A worker with a broker of its own. Leaving ends it; the gate must be open by then."""
        broker = MemoryBroker()
        relay: Relay = self.stack.relay(broker)
        service = self.stack.worker(broker, relay)
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(stop))
        try:
            yield service
        finally:
            self.source.gate.set()
            stop.set()
            await asyncio.wait_for(running, 30)
            await broker.close()

    def audit(self, log: str = "", accepted: Sequence[str] = ()) -> None:
        """Hold everything against the invariants."""

        def fetch(key: str) -> bytes | Refusal:
            try:
                return self.store.read(key)
            except KeyError:
                return Refusal(404, "NoSuchKey")

        canaries = (SECRET, "X-Amz-Signature", "memory:///")
        Auditor(self.engine, self.store, fetch, log=lambda: log, canaries=canaries).check(accepted)


@contextmanager
def open_lab(
    home: Path,
    database: str,
    *,
    workers_way: str | None = None,
    source: GatedSource | None = None,
    **settings: Any,
) -> Iterator[Lab]:
    """A lab on an empty database; with `workers_way`, the worker has another address for it."""
    values = {
        "lease": LEASE_SECONDS,
        "retry_delays": "0.1",
        "shutdown_grace": 0.1,
        "jwt_secret": SECRET,
    }
    ours = create_engine(database)
    upgrade(ours)
    workers = create_engine(workers_way or database)
    source, store = source or GatedSource(), MemoryStore()
    datasets = {
        name: Dataset(name, lambda params, user: sa.select(1), queue=name) for name in QUEUES
    }
    stack = Stack(
        load(home=home, database_url=database, **values | settings),
        registry=Registry(datasets),
        engine=workers,
        store=store,
        sources={SOURCE: source},
    )
    try:
        yield Lab(stack, ours, source, store)
    finally:
        # A helper's thread may outlive its worker by a statement, and then loses its connection.
        with suppress(AssertionError):
            wait_for(lambda: not (ours.pool.checkedout() or workers.pool.checkedout()), 5)
        ours.dispose()
        workers.dispose()
