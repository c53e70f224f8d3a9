"""Long-running RabbitMQ consumer: reconnects until it is stopped, or gives up after a time.

A session is a connection, a channel and the consumers on it. Whatever happens to one of them
(closed, cancelled, hung, forgotten by the broker), the session ends and the next one starts
from nothing. Work that has begun continues: it does not need the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aio_pika import Connection

from waybill.infra.broker.concurrency import RunningDeliveries, wait_for_event
from waybill.infra.broker.delivery import Delivery
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.addresses import BrokerAddresses
from waybill.infra.broker.rabbitmq.connection import (
    BrokerUnsupported,
    close_connection,
    note_silence,
    open_connection,
)
from waybill.infra.broker.rabbitmq.declaring import prepare_topology
from waybill.infra.broker.rabbitmq.publisher import Publisher
from waybill.infra.broker.rabbitmq.queue_poller import QueuePoller
from waybill.infra.broker.rabbitmq.topology import Topology
from waybill.infra.broker.shared_limit import SharedLimit
from waybill.timing import backoff

log = logging.getLogger(__name__)

#: The wait before the first new session, and the longest before further ones.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 5.0


class ConsumersLost(BrokerUnavailable):
    """The message broker was away for so long that the worker has to be restarted."""

    code = "consumers_lost"


@dataclass(frozen=True, slots=True)
class WatchdogSettings:
    """How often a consumer is checked, and how long it may be without a working session."""

    #: Between two checks that the broker still has our consumers and feeds them.
    check_every: timedelta = timedelta(seconds=5)
    #: After this long without a working session, at any address, `ConsumersLost` ends the worker.
    give_up_after: timedelta = timedelta(minutes=5)


class RabbitConsumer:
    """Takes messages of `queues` and starts `on_delivery` for each, within `concurrency`."""

    def __init__(
        self,
        addresses: BrokerAddresses,
        topology: Topology | None,
        queues: Sequence[str],
        publisher: Publisher,
        on_delivery: Callable[[Delivery], Coroutine[Any, Any, None]],
        *,
        concurrency: int,
        shared: SharedLimit | None = None,
        stopping: asyncio.Event,
        watchdog: WatchdogSettings,
    ) -> None:
        self._addresses = addresses
        self._topology = topology
        self._queues = queues
        self._publisher = publisher
        self._on_delivery = on_delivery
        self._stopping = stopping
        self._watchdog = watchdog
        self._changed = asyncio.Event()
        self._running = RunningDeliveries(concurrency, self._changed.set, shared)
        self._connecting: asyncio.Task[Connection] | None = None
        self._healthy_at = 0.0

    def stop(self) -> None:
        """Take no further message."""
        self._stopping.set()
        self._changed.set()
        if self._connecting is not None:
            self._connecting.cancel()

    async def run(self) -> None:
        """Consume until `stop`, and then wait for what runs.

        Raises:
            ConsumersLost: no session worked for `watchdog.give_up_after`.
            BrokerUnsupported: the server is too old.
        """
        self._mark_healthy()
        failures = 0
        try:
            while not self._stopping.is_set():
                began = self._healthy_at
                try:
                    await self._session()
                except BrokerUnavailable as error:
                    self._raise_if_final(error)
                    failures = 1 if self._healthy_at > began else failures + 1
                    log.warning("consuming interrupted", extra={"why": error.message})
                    pause = backoff(
                        failures,
                        first=_FIRST_PAUSE_SECONDS,
                        longest=_LONGEST_PAUSE_SECONDS,
                        jitter=0.0,
                    )
                    await wait_for_event(self._stopping, pause)
        finally:
            await self._running.finish()

    def _mark_healthy(self) -> None:
        self._healthy_at = asyncio.get_running_loop().time()

    def _raise_if_final(self, error: BrokerUnavailable) -> None:
        if isinstance(error, BrokerUnsupported):
            raise error
        away_seconds = asyncio.get_running_loop().time() - self._healthy_at
        # A worker that still has work running is not ended because no more arrives.
        if away_seconds > self._watchdog.give_up_after.total_seconds() and self._running.idle:
            raise ConsumersLost() from error

    async def _session(self) -> None:
        connection = await self._connect()
        if connection is None:
            return
        try:
            poller = await QueuePoller.open(
                connection, self._queues, self._publisher, self._changed.set
            )
            await self._consume(poller)
            # The connection stays open: handlers that still run have messages to acknowledge.
            await self._running.finish()
        except BrokerUnavailable as error:
            note_silence(self._addresses, connection, error)
            raise
        finally:
            await close_connection(connection)

    async def _connect(self) -> Connection | None:
        """A connection with everything declared on it; None when `stop` came in between."""
        self._connecting = asyncio.create_task(self._open())
        try:
            return await self._connecting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._stopping.is_set() and task is not None and not task.cancelling():
                return None
            raise
        finally:
            self._connecting = None

    async def _open(self) -> Connection:
        connection = await open_connection(self._addresses, "consume")
        try:
            if self._topology is not None:
                await prepare_topology(connection, self._topology)
        except BaseException as error:
            note_silence(self._addresses, connection, error)
            await close_connection(connection)
            raise
        return connection

    async def _consume(self, poller: QueuePoller) -> None:
        check_seconds = self._watchdog.check_every.total_seconds()
        check_at = 0.0
        while not self._stopping.is_set():
            self._changed.clear()
            if asyncio.get_running_loop().time() >= check_at:
                await poller.verify()
                self._mark_healthy()
                check_at = self._healthy_at + check_seconds
            if self._running.full:
                await poller.pause()
            elif delivery := await poller.take():
                self._running.start(self._on_delivery(delivery))
                continue
            await wait_for_event(self._changed, check_seconds)
        await poller.pause()
