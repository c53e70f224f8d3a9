"""The RabbitMQ broker, 3.10 to 4.x: `Broker` over one publishing and some consuming connections.

Publishing and consuming never share a connection: a broker short of memory or disk stops
reading from those that publish, and acknowledgements must not be stuck behind that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from infra.broker.amqp import ANSWER_SECONDS, answered, parse_url, server_version
from infra.broker.delivery import deliver, deliver_dead_letter
from infra.broker.port import BrokerUnavailable, DeadLetterHandler, Handler, WakeUp
from infra.broker.publisher import Publisher
from infra.broker.rabbit_consumer import Patience, RabbitConsumer
from infra.broker.rabbit_delivery import RabbitDelivery
from infra.broker.running import consuming
from infra.broker.topology import DEAD_QUEUE, DELAYS, Topology, work_queue

_APP_ID = "waybill"


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What `RabbitBroker.check` found."""

    version: str
    #: Messages ready for delivery, by work queue.
    waiting: dict[str, int]
    #: Dead letters nobody has taken yet.
    dead_letters: int


class RabbitBroker:
    """A `Broker` on a RabbitMQ vhost. It connects when it is first used."""

    def __init__(
        self,
        url: str,
        queues: Iterable[str],
        *,
        delays: Iterable[timedelta] = DELAYS,
        publish_timeout: timedelta = timedelta(seconds=10),
        patience: Patience | None = None,
        declare: bool = True,
    ) -> None:
        """Without `declare`, connections need no configure rights and trust `declare_topology`.

        Raises:
            BadBrokerUrl: `url` is not an AMQP URL. It holds a password and is never quoted.
        """
        self._url = parse_url(url)
        self._topology = Topology(tuple(queues), tuple(delays))
        self._declared = self._topology if declare else None
        self._patience = patience or Patience()
        self._publisher = Publisher(self._url, self._declared, publish_timeout)

    async def publish(
        self, wake_up: WakeUp, *, queue: str, message_id: str, delay: timedelta = timedelta(0)
    ) -> None:
        """Hand over one message. See `Broker.publish`.

        A delay is rounded up to the next of the ladder, and a longer one than the longest is
        cut down to it.
        """
        message = Message(
            wake_up.encode(),
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message_id,
            correlation_id=str(wake_up.task_id),
            timestamp=datetime.now(UTC),
            type=wake_up.kind,
            app_id=_APP_ID,
        )
        await self._publisher.publish(self._topology.exchange_for(delay), queue, message)

    def consume(
        self, queues: Iterable[str], handler: Handler, *, concurrency: int
    ) -> AbstractAsyncContextManager[None]:
        """Deliver messages of `queues` to `handler`. See `Broker.consume`.

        A broker that is away is waited for, at the start too.

        Raises:
            ConsumersLost: it was away for too long; the body of the context is cancelled.
            BrokerUnsupported: it is too old.
        """

        async def on_message(message: AbstractIncomingMessage) -> None:
            await deliver(RabbitDelivery(message, self._publisher), handler)

        return self._consuming(
            [work_queue(queue) for queue in queues], on_message, concurrency, asyncio.Event()
        )

    def consume_dead_letters(self, handler: DeadLetterHandler) -> AbstractAsyncContextManager[None]:
        """Deliver dead letters to `handler`. See `Broker.consume_dead_letters`."""
        stopping = asyncio.Event()

        async def on_message(message: AbstractIncomingMessage) -> None:
            await deliver_dead_letter(RabbitDelivery(message, self._publisher), handler, stopping)

        return self._consuming([DEAD_QUEUE], on_message, 1, stopping)

    def _consuming(self, ...): ...
