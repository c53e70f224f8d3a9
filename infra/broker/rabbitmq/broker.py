"""The RabbitMQ broker, 3.10 to 4.x: `Broker` over one publishing and some consuming connections.

Publishing and consuming never share a connection: a broker short of memory or disk stops
reading from those that publish, and acknowledgements must not be stuck behind that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aio_pika.abc import AbstractChannel

from waybill.infra.broker.concurrency import consuming
from waybill.infra.broker.delivery import DEAD_LETTER_PAUSE, Delivery, deliver, deliver_dead_letter
from waybill.infra.broker.port import DeadLetterHandler, Handler, KnownTasks, WakeUp
from waybill.infra.broker.rabbitmq.addresses import BrokerAddresses
from waybill.infra.broker.rabbitmq.connection import (
    ANSWER_SECONDS,
    DECLARE_SECONDS,
    answered,
    server_name,
    unreachable,
)
from waybill.infra.broker.rabbitmq.consumer import RabbitConsumer, WatchdogSettings
from waybill.infra.broker.rabbitmq.declaring import check_rights
from waybill.infra.broker.rabbitmq.delivery import FAILURE_HEADER
from waybill.infra.broker.rabbitmq.earlier import EarlierQueues, TakeOver, find_earlier
from waybill.infra.broker.rabbitmq.installations import announce, others
from waybill.infra.broker.rabbitmq.messages import wake_up_message
from waybill.infra.broker.rabbitmq.publisher import Publisher
from waybill.infra.broker.rabbitmq.queue_watch import QueueWatch, probe_queue
from waybill.infra.broker.rabbitmq.topology import Names, Topology
from waybill.infra.broker.shared_limit import SharedLimit


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What `RabbitBroker.check` found."""

    #: Its product and version.
    server: str
    #: Messages ready for delivery, by work queue.
    waiting: dict[str, int]
    #: Dead letters that have not been taken yet.
    dead_letters: int
    #: Addresses that do not let us in, as ``host:port``, while at least one does.
    unreachable: list[str]
    #: The ids of other installations that were in the vhost during the last day.
    neighbours: list[str]
    #: What an earlier version left; None when it left no queue.
    earlier: EarlierQueues | None


class RabbitBroker:
    """A `Broker` on a RabbitMQ vhost. It connects when it is first used."""

    def __init__(
        self,
        url: str,
        queues: Iterable[str],
        *,
        delays: Iterable[timedelta],
        publish_timeout: timedelta = timedelta(seconds=10),
        watchdog: WatchdogSettings | None = None,
        dead_letter_pause: timedelta = DEAD_LETTER_PAUSE,
        probe_pause: timedelta = timedelta(seconds=30),
        declare: bool = True,
        installation: str = "",
    ) -> None:
        """`url` holds one address or several; see `amqp_urls`.

        `queues` are the names of the work queues, and `delays` those a message can wait for.

        Dead letters whose handler failed are offered again after `dead_letter_pause`.
        While `check_access` is called, queues are probed with `probe_pause` in between.
        Without `declare`, connections need no configure rights and trust `declare_topology`.
        `installation` is in the names of all exchanges and queues, so that others in the vhost
        get none of its messages; without it, they have the names of earlier versions.

        Raises:
            BadBrokerUrl: `url` is not an AMQP URL. It holds a password and is never quoted.
        """
        self._addresses = BrokerAddresses.parse(url)
        self._topology = Topology(tuple(queues), tuple(delays), Names(installation))
        self._declared = self._topology if declare else None
        self._dead_letter_pause = dead_letter_pause
        self._watchdog = watchdog or WatchdogSettings()
        self._publisher = Publisher(
            self._addresses, self._topology, publish_timeout, declare=declare
        )
        self._take_over = TakeOver(self._publisher, self._topology)
        self._watch = QueueWatch(
            Publisher(self._addresses, self._topology, publish_timeout, declare=False),
            self._topology,
            probe_pause,
        )

    async def publish(
        self, wake_up: WakeUp, *, queue: str, message_id: str, delay: timedelta = timedelta(0)
    ) -> None:
        """Hand over one message. See `Broker.publish`.

        A delay is rounded up to the next of the broker's `delays`, and cut down to the longest.
        """
        exchange = self._topology.exchange_for(delay)
        await self._publisher.publish(exchange, queue, wake_up_message(wake_up, message_id))

    async def publish_dead_letter(
        self, wake_up: WakeUp, *, queue: str, message_id: str, reason: str
    ) -> None:
        """Hand over one dead letter. See `Broker.publish_dead_letter`."""
        message = wake_up_message(wake_up, message_id)
        message.headers[FAILURE_HEADER] = reason
        await self._publisher.publish(self._publisher.dead_exchange, queue, message)

    def consume(
        self,
        queues: Iterable[str],
        handler: Handler,
        *,
        concurrency: int,
        shared: SharedLimit | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Deliver messages of `queues` to `handler`. See `Broker.consume`.

        A broker that is away is waited for, at the start too.

        Raises:
            ConsumersLost: it was away for too long; the body of the context is cancelled.
            BrokerUnsupported: it is too old.
        """
        return self._consuming(
            [self._topology.names.work_queue(queue) for queue in queues],
            partial(deliver, handler=handler),
            concurrency,
            asyncio.Event(),
            shared,
        )

    def consume_dead_letters(self, handler: DeadLetterHandler) -> AbstractAsyncContextManager[None]:
        """Deliver dead letters to `handler`. See `Broker.consume_dead_letters`."""
        stopping = asyncio.Event()
        take = partial(
            deliver_dead_letter,
            handler=handler,
            stopping=stopping,
            pause=self._dead_letter_pause,
        )
        return self._consuming([self._topology.names.dead], take, 1, stopping)

    def _consuming(
        self,
        queues: list[str],
        on_delivery: Callable[[Delivery], Coroutine[Any, Any, None]],
        concurrency: int,
        stopping: asyncio.Event,
        shared: SharedLimit | None = None,
    ) -> AbstractAsyncContextManager[None]:
        return consuming(
            RabbitConsumer(
                self._addresses,
                self._declared,
                queues,
                self._publisher,
                on_delivery,
                concurrency=concurrency,
                shared=shared,
                stopping=stopping,
                watchdog=self._watchdog,
            )
        )

    async def connect(self) -> None:
        """Connect, and declare what is missing. See `Broker.connect`."""
        await self._publisher.connection()

    def check_access(self) -> None:
        """Raise the last `BrokerRefused`, if nothing worked since. See `Broker.check_access`.

        While `watch` runs, a queue that confirms no message is an error as well.
        """
        if self._publisher.refusal is not None:
            raise self._publisher.refusal
        self._watch.check()

    async def watch(self) -> None:
        """Probe the queues while `check_access` is called. See `Broker.watch`."""
        await self._watch.run()

    async def announce(self) -> list[str]:
        """Leave our id in the vhost. See `Broker.announce`."""
        installation = self._topology.names.installation
        if not installation:
            return []
        async with self._channel(ANSWER_SECONDS, "write", confirms=True) as channel:
            return await announce(channel, installation)

    async def take_over_earlier(self, known: KnownTasks) -> int:
        """Empty the queues of earlier versions. See `Broker.take_over_earlier`."""
        if not self._topology.names.installation:
            return 0
        connection = await self._publisher.connection()
        return await self._take_over.run(connection, known)

    async def declare_topology(self) -> None:
        """Make every exchange and queue that is missing. Idempotent.

        Raises:
            BrokerUnavailable: not reached, or one of them exists with other arguments.
        """
        async with self._channel(DECLARE_SECONDS, "configure") as channel:
            await self._topology.declare(channel)

    async def check(self) -> BrokerReport:
        """Ask over the publishing connection, so that a broker that blocks publishers shows.

        Raises:
            BrokerUnavailable: not reached, no answer, or an exchange or queue is missing.
            BrokerRefused: our user may not write to an exchange, or not read a queue.
        """
        async with self._channel(ANSWER_SECONDS) as channel:
            counts = await self._topology.inspect(channel)
        names = self._topology.names
        connection = await self._publisher.connection()
        await check_rights(connection, self._topology)
        neighbours, earlier = [], None
        if names.installation:
            async with self._channel(ANSWER_SECONDS) as channel:
                neighbours = await others(channel, names.installation)
            earlier = await find_earlier(connection, self._topology)
        return BrokerReport(
            server=server_name(connection),
            waiting={queue: counts[names.work_queue(queue)] for queue in self._topology.queues},
            dead_letters=counts[names.dead],
            unreachable=await unreachable(self._addresses),
            neighbours=neighbours,
            earlier=earlier,
        )

    async def probe_queues(self) -> None:
        """Leave one wake-up for no task in each queue. A worker looks for work, and is done.

        Raises:
            QueueUnconfirmed: one confirms no message: it is full, or most members are away.
            BrokerUnavailable: the broker does not.
        """
        for queue, exchange, key in self._topology.probes():
            await probe_queue(self._publisher, self._topology, queue, exchange, key)

    @asynccontextmanager
    async def _channel(
        self, within_seconds: float, right: str = "", *, confirms: bool = False
    ) -> AsyncIterator[AbstractChannel]:
        """A channel for a few questions. A question that fails closes it by itself."""
        connection = await self._publisher.connection()
        async with answered(within_seconds, right):
            channel = connection.channel(publisher_confirms=confirms)
            await channel.initialize()
            yield channel
            await channel.close()

    async def close(self) -> None:
        """End the publishing connection; each consuming context ends its own. Safe twice."""
        await self._publisher.close()
