"""Polling several RabbitMQ queues in turn, one message at a time, without prefetching any.

Consumers alone cannot do that: each of them, with a prefetch of 1, is sent a message the
moment it exists, also when only one slot is free. What waits already is therefore fetched
with ``basic.get``, queue by queue in turn; consumers are on only while all queues are empty
or slots are left, and are cancelled at capacity. What arrives at that very moment is
returned at once, for another worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue

from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.connection import ANSWER_SECONDS, answered
from waybill.infra.broker.rabbitmq.delivery import RabbitDelivery
from waybill.infra.broker.rabbitmq.publisher import Publisher

#: One check may fall between the arrival of a message and its delivery. Two do not.
_IDLE_CHECKS = 2


@dataclass(slots=True)
class _QueueSubscription:
    """One queue (which keeps its channel alive), and our consumer's tag while it is subscribed."""

    queue: AbstractQueue
    tag: str | None = None
    #: The message our consumer was sent last. While it is unsettled there comes no other.
    last: AbstractIncomingMessage | None = None
    #: Checks in a row that found messages waiting and our consumer with nothing to do.
    idle_checks: int = 0


class QueuePoller:
    """Takes messages from some queues over one channel, and ends with that channel."""

    def __init__(
        self,
        subscriptions: Iterable[_QueueSubscription],
        publisher: Publisher,
        on_change: Callable[[], None],
    ) -> None:
        self._subscriptions = deque(subscriptions)
        self._publisher = publisher
        self._on_change = on_change
        self._arrived: deque[RabbitDelivery] = deque()
        self._listening = False
        self._lost = False

    @classmethod
    async def open(
        cls,
        connection: AbstractConnection,
        queues: Iterable[str],
        publisher: Publisher,
        on_change: Callable[[], None],
    ) -> Self:
        """Take from `queues`, by their RabbitMQ names. `on_change`: `take` may have something.

        Raises:
            BrokerUnavailable: the connection is gone.
        """
        async with answered(ANSWER_SECONDS):
            channel = connection.channel(publisher_confirms=False)
            await channel.initialize()
            await channel.set_qos(prefetch_count=1)
            subscriptions = [
                _QueueSubscription(await channel.get_queue(name, ensure=False)) for name in queues
            ]
            poller = cls(subscriptions, publisher, on_change)
            channel.close_callbacks.add(poller._lose)
            underlying = await channel.get_underlay_channel()
            # The broker cancels consumers when their queue is deleted or its leader is lost.
            underlying.on_consumer_cancel_callbacks.add(poller._lose)
        return poller

    def _lose(self, *_: Any) -> None:
        self._lost = True
        self._on_change()

    async def take(self) -> RabbitDelivery | None:
        """The next message, or None when there is none now: `on_change` will be called.

        Raises:
            BrokerUnavailable: the channel or a consumer is gone; open another poller.
        """
        if self._lost:
            raise BrokerUnavailable("The message broker ended our consumers.")
        if self._arrived:
            return self._arrived.popleft()
        if self._listening:
            return None
        for _ in range(len(self._subscriptions)):
            subscription = self._subscriptions[0]
            # The queue served last is asked last: none holds up the others.
            self._subscriptions.rotate(-1)
            async with answered(ANSWER_SECONDS, "read"):
                message = await subscription.queue.get(fail=False, timeout=None)
            if message is not None:
                return RabbitDelivery(message, self._publisher)
        await self._listen()
        return None

    async def _listen(self) -> None:
        self._listening = True
        for subscription in self._subscriptions:
            async with answered(ANSWER_SECONDS, "read"):
                subscription.tag = await subscription.queue.consume(
                    partial(self._arrive, subscription)
                )

    async def _arrive(
        self, subscription: _QueueSubscription, message: AbstractIncomingMessage
    ) -> None:
        subscription.last, subscription.idle_checks = message, 0
        delivery = RabbitDelivery(message, self._publisher)
        if self._listening:
            self._arrived.append(delivery)
            self._on_change()
        else:
            # The broker sent it before it read our cancellation.
            await delivery.return_unused()

    async def pause(self) -> None:
        """Take nothing more until `take` is called again, and keep nothing unacknowledged.

        Raises:
            BrokerUnavailable: the channel is gone, and what it delivered with it.
        """
        if not self._listening:
            return
        for subscription in self._subscriptions:
            tag, subscription.tag, subscription.idle_checks = subscription.tag, None, 0
            if tag is not None:
                async with answered(ANSWER_SECONDS):
                    await subscription.queue.cancel(tag)
        self._listening = False
        while self._arrived:
            await self._arrived.popleft().return_unused()

    async def verify(self) -> None:
        """Ask the broker whether our consumers are there, and whether it feeds them.

        RabbitMQ 3.10 was seen to keep a consumer across the deletion and new declaration of
        its queue and to send it nothing: it counted, and held a message that never came.

        Raises:
            BrokerUnavailable: they are not, it does not, or there is no answer.
        """
        for subscription in self._subscriptions:
            async with answered(ANSWER_SECONDS):
                found = await subscription.queue.declare()
            if subscription.tag is None:
                continue
            if not found.consumer_count:
                raise BrokerUnavailable("The message broker has lost our consumers.")
            handling = subscription.last is not None and not subscription.last.processed
            subscription.idle_checks = (
                subscription.idle_checks + 1 if found.message_count and not handling else 0
            )
            if subscription.idle_checks >= _IDLE_CHECKS:
                raise BrokerUnavailable("The message broker sends our consumers nothing.")
