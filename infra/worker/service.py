"""A worker process: consumers, relay, sweeper and deliverer, and how they end together."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import waybill
from waybill.exporter.formats.registry import load_encoders
from waybill.infra.broker.port import Broker, Handler, WakeUp, Work
from waybill.infra.broker.shared_limit import SharedLimit
from waybill.infra.notifications.delivery import Deliverer
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.workers import Heartbeat, Workers
from waybill.infra.worker.capacity import Capacity
from waybill.infra.worker.claims import Claims
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.failures import FailureDecision
from waybill.infra.worker.neighbours import Neighbours
from waybill.infra.worker.outages import ClockWrong, Outages
from waybill.infra.worker.probes import probes_of
from waybill.infra.worker.registration import WorkerRegistration
from waybill.infra.worker.relay import Relay
from waybill.infra.worker.schedule_loop import ScheduleLoop
from waybill.infra.worker.slots import Slots
from waybill.infra.worker.stops import WorkerStopping
from waybill.infra.worker.sweeper import Sweeper
from waybill.infra.worker.worker_locks import worker_lock

log = logging.getLogger(__name__)


def worker_name() -> str:
    """A name for leases and the audit log: host, process, and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class WorkerService:
    """Runs exports until it is stopped, and then stops without losing one."""

    def __init__(
        self,
        dependencies: WorkerDependencies,
        broker: Broker,
        relay: Relay,
        sweeper: Sweeper,
        deliverer: Deliverer,
        dead_letters: DeadLetters,
        *,
        queues: Sequence[str],
        outages: TaskOutages,
        workers: Workers,
        schedules: ScheduleLoop | None = None,
    ) -> None:
        self._dependencies = dependencies
        self._broker = broker
        self._relay = relay
        self._sweeper = sweeper
        self._deliverer = deliverer
        self._schedules = schedules
        self._neighbours = Neighbours(broker, dependencies.runs)
        self._dead_letters = dead_letters
        self._queues = queues
        self._concurrency = dependencies.settings.concurrency
        self._grace = dependencies.settings.shutdown_grace
        self._name = worker_name()
        self._leave = asyncio.Event()
        self._outages = Outages(
            probes_of(dependencies.store, dependencies.sources, dependencies.installation),
            outages,
            queues,
            self._name,
        )
        self._capacity = Capacity(
            queues,
            self._concurrency,
            dependencies.settings.memory_budget.exports_at_once,
            max_paused=dependencies.settings.max_paused,
        )
        self._claims = Claims(
            dependencies.scheduler,
            dependencies.shards,
            self._capacity,
            self._outages,
            self._leave,
            self._name,
        )
        self._slots = Slots(
            dependencies, self._claims, self._capacity, self._leave, self._after_attempt
        )
        self._registration = WorkerRegistration(workers, self._state)
        self._ill: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish or release what runs, and return.

        Running exports have the grace period to finish. Those that do not are released to
        the database at once, so another worker takes them without waiting for the lease.

        Raises:
            ConsumersLost: the broker was away for too long.
            ClockWrong: no export can succeed in this process, but may in another one.
        """
        # Before the first claim: a lease should not run while libraries are loaded.
        await asyncio.to_thread(load_encoders)
        home = self._dependencies.settings.home
        with worker_lock(home, self._name):
            await asyncio.to_thread(self._sweeper.rescue_ended, home)
            await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> None:
        leave = self._leave
        helpers = [
            asyncio.create_task(self._relay.run(), name="relay"),
            asyncio.create_task(self._sweeper.run(), name="sweeper"),
            asyncio.create_task(self._deliverer.run(), name="deliverer"),
            asyncio.create_task(self._neighbours.run(), name="neighbours"),
            asyncio.create_task(self._registration.run(), name="registration"),
            asyncio.create_task(self._dependencies.holders.run(), name="snapshot-holders"),
            asyncio.create_task(stop.wait(), name="stop"),
            asyncio.create_task(self._illness(), name="illness"),
            *(
                [asyncio.create_task(self._schedules.run(), name="schedules")]
                if self._schedules
                else ()
            ),
        ]
        # A context for each queue: what runs of one takes no slot from another, while memory has
        # room for all. Beyond it no wake-up is taken, which another worker may have.
        shared = SharedLimit(self._capacity.exports_at_once)
        contexts = [
            self._broker.consume_dead_letters(self._record),
            *(
                self._broker.consume(
                    [queue], self._handler(queue), concurrency=self._concurrency, shared=shared
                )
                for queue in self._queues
            ),
        ]
        consumers = [asyncio.create_task(_inside(context, leave)) for context in contexts]
        log.info(
            "worker ready",
            extra={
                "worker": self._name,
                "version": waybill.__version__,
                "queues": self._queues,
                "memory_mib": self._dependencies.settings.memory_budget.size_bytes >> 20,
                "exports_at_once": self._capacity.exports_at_once,
            },
        )
        try:
            await asyncio.wait([*helpers, *consumers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Every consumer stops taking messages now, and waits for its own exports.
            leave.set()
            grace = asyncio.create_task(self._stop_after_grace())
            paused = asyncio.create_task(self._slots.end_paused())
            await asyncio.gather(paused, *consumers, return_exceptions=True)
            await self._slots.end_all()
            ended = [task for task in (*helpers, *consumers) if task.done()]
            for task in (grace, *helpers):
                task.cancel()
            await asyncio.gather(grace, *helpers, return_exceptions=True)
            await asyncio.to_thread(self._dependencies.holders.close)
            await self._registration.end()
            log.info("worker ended", extra={"worker": self._name})
        for task in ended:
            task.result()

    def _state(self) -> Heartbeat:
        return Heartbeat(
            self._name,
            self._queues,
            self._concurrency,
            self._capacity.exports_at_once,
            self._capacity.running,
            self._outages.waiting_for,
            waybill.__version__,
        )

    def _handler(self, queue: str) -> Handler:
        """A wake-up says that `queue` has work, and not which task is next."""

        async def claim(wake_up: WakeUp) -> Work | None:
            claim = await self._claims.claim(queue, wake_up)
            return partial(self._slots.work, claim) if claim else None

        return claim

    async def _after_attempt(self, failure: FailureDecision | None) -> None:
        # A failed attempt or a release has put a wake-up into the outbox.
        self._relay.wake()
        if failure is not None:
            await self._report(failure)

    async def _report(self, failure: FailureDecision) -> None:
        try:
            await self._outages.report(failure)
        except ClockWrong as error:
            log.error(
                "worker ends", extra={"alert": True, "worker": self._name, "why": error.message}
            )
            self._leave.set()
            if not self._ill.done():
                self._ill.set_exception(error)

    async def _illness(self) -> None:
        """Ends with an error when this worker is of no use any more."""
        await self._ill

    async def _record(self, body: bytes, queue: str, reason: str) -> None:
        """Record a dead letter for operators, and raise the alert once."""
        if await asyncio.to_thread(self._dead_letters.record, body, queue, reason):
            log.error("dead letter", extra={"alert": True, "queue": queue, "why": reason})

    async def _stop_after_grace(self) -> None:
        await asyncio.sleep(self._grace.total_seconds())
        await self._slots.stop_all(WorkerStopping())


async def _inside(context: AbstractAsyncContextManager[None], leave: asyncio.Event) -> None:
    async with context:
        await leave.wait()
