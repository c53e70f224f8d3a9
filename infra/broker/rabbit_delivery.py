"""One RabbitMQ message in our hands, and how it is settled.

A message refers to the channel that delivered it and to no later one: settling it after that
channel is gone does nothing, and the broker delivers it again to whoever consumes then.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from infra.broker.amqp import ANSWER_SECONDS, answered
from infra.broker.port import BrokerUnavailable
from infra.broker.publisher import Publisher
from infra.broker.topology import DEAD_EXCHANGE

log = logging.getLogger(__name__)

#: Our own reason on a dead letter. Not ``x-…``: those headers belong to the broker.
_FAILURE_HEADER = "failure"


class RabbitDelivery:
    """A delivered message. The routing key names its queue, in retries and dead letters too."""

    def __init__(self, message: AbstractIncomingMessage, publisher: Publisher) -> None:
        self._message = message
        self._publisher = publisher
        self.body = message.body
        self.queue = message.routing_key or ""

    @property
    def reason(self) -> str:
        """Our own words, or the broker's where it made the dead letter: `delivery_limit` …"""
        if failure := self._message.headers.get(_FAILURE_HEADER):
            return str(failure)
        # The newest event is first. ``x-first-death-reason`` would tell of the retry rung.
        match self._message.headers.get("x-death"):
            case [{"reason": reason}, *_]:
                return str(reason)
        return ""

    async def ack(self) -> None:
        """Done with. If this does not reach the broker, the message comes again."""
        await _settle(self._message.ack())

    async def give_back(self) -> None:
        """Deliver it again, at once."""
        await give_back(self._message)

    async def bury(self, reason: str) -> None:
        """Publish a copy that carries `reason` to the dead letters, and then acknowledge.

        A crash between the two leaves two dead letters, never none. Where the copy is not
        confirmed, the message is rejected: the broker makes the dead letter, without a reason.
        """
        copy = Message(
            self.body,
            headers={_FAILURE_HEADER: reason},
            delivery_mode=DeliveryMode.PERSISTENT,
            content_type=self._message.content_type,
            correlation_id=self._message.correlation_id,
            message_id=self._message.message_id,
            timestamp=self._message.timestamp,
            type=self._message.type,
            app_id=self._message.app_id,
        )
        try:
            await self._publisher.publish(DEAD_EXCHANGE, self.queue, copy)
        except BrokerUnavailable:
            await _settle(self._message.reject(requeue=False))
        else:
            await self.ack()


async def give_back(message: AbstractIncomingMessage) -> None:
    """Let the broker deliver `message` again, at once and to anyone."""
    await _settle(message.reject(requeue=True))


async def _settle(answer: Awaitable[None]) -> None:
    try:
        async with answered(ANSWER_SECONDS):
            await answer
    except BrokerUnavailable:
        log.info("a message will be delivered again: its channel is gone")
