"""A worker process: consumers, relay and sweeper, and how they end together."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Sequence
from datetime import timedelta

from exporter.errors import WorkerStopping
from infra.broker.port import Broker, WakeUp, Work
from infra.tasks.dead_letters import DeadLetters
from infra.worker.attempt import Attempt, WorkerDoors
from infra.worker.relay import Relay
from infra.worker.sweeper import Sweeper

log = logging.getLogger(__name__)


def worker_name() -> str:
    """A name for leases and the audit log: host, process, and a part nobody else has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class WorkerService:
    """Runs exports until told to stop, and then stops without losing one."""

    def __init__(
        self,
        doors: WorkerDoors,
        broker: Broker,
        relay: Relay,
        sweeper: Sweeper,
        dead_letters: DeadLetters,
        *,
        queues: Sequence[str],
        concurrency: int,
        grace: timedelta,
    ) -> None:
        self._doors = doors
        self._broker = broker
        self._relay = relay
        self._sweeper = sweeper
        self._dead_letters = dead_letters
        self._queues = queues
        self._concurrency = concurrency
        self._grace = grace
        self._name = worker_name()
        self._running: set[Attempt] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish or give back what runs, and return.

        Running exports have the grace period to finish. Those that do not are given back to
        the database at once, so another worker takes them without waiting for the lease.
        """
        background = [
            asyncio.create_task(self._relay.run(), name="relay"),
            asyncio.create_task(self._sweeper.run(), name="sweeper"),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            async with (
                self._broker.consume_dead_letters(self._record),
                self._broker.consume(self._queues, self._claim, concurrency=self._concurrency),
            ):
                log.info("worker ready", extra={"worker": self._name, "queues": self._queues})
                done, _ = await asyncio.wait(
                    [stopping, *background], return_when=asyncio.FIRST_COMPLETED
                )
                deadline = asyncio.create_task(self._stop_after_grace())
            deadline.cancel()
            for task in done - {stopping}:
                task.result()
        finally:
            for task in (*background, stopping):
                task.cancel()
            await asyncio.gather(*background, stopping, return_exceptions=True)

    async def _claim(self, wake_up: WakeUp) -> Work | None:
        claim = await asyncio.to_thread(self._doors.runs.claim, wake_up.task_id, self._name)
        if claim is None:
            return None
        attempt = Attempt(self._doors, claim)

        async def work() -> None:
            self._running.add(attempt)
            try:
                await attempt.run()
            finally:
                self._running.discard(attempt)
                # A failed attempt or a release has put a wake-up into the outbox.
                self._relay.nudge()

        return work

    async def _record(self, body: bytes, queue: str, reason: str) -> None:
        """Keep a dead letter where people see it, and raise the alert once."""
        if await asyncio.to_thread(self._dead_letters.record, body, queue, reason):
            log.error("dead letter", extra={"alert": True, "queue": queue, "why": reason})

    async def _stop_after_grace(self) -> None:
        await asyncio.sleep(self._grace.total_seconds())
        for attempt in tuple(self._running):
            attempt.stop.request(WorkerStopping())
