"""One delivered RabbitMQ message, and the ways to answer it.

A message refers to the channel that delivered it and to no later one: settling it after that
channel is gone does nothing, and the broker delivers it again to the next consumer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.connection import ANSWER_SECONDS, answered
from waybill.infra.broker.rabbitmq.publisher import Publisher
from waybill.infra.tracing.spans import TRACEPARENT

log = logging.getLogger(__name__)

#: Returned this often, a message we had no room for is replaced by a copy. Far below the
#: limit, since the broker returns some deliveries by itself: the count was seen to jump by 3.
_RENEW_AT = 3
#: Our own reason on a dead letter. Not ``x-…``: those headers belong to the broker.
FAILURE_HEADER = "failure"


class RabbitDelivery:
    """A delivered message. The routing key names its queue, in retries and dead letters too."""

    def __init__(self, message: AbstractIncomingMessage, publisher: Publisher) -> None:
        self._message = message
        self._publisher = publisher
        self.body = message.body
        self.queue = message.routing_key or ""

    @property
    def traceparent(self) -> str | None:
        """The span that published it, if that was traced."""
        trace = self._message.headers.get(TRACEPARENT)
        return str(trace) if trace else None

    @property
    def reason(self) -> str:
        """Our own reason, or the broker's where the broker dead-lettered it: `delivery_limit` …"""
        if failure := self._message.headers.get(FAILURE_HEADER):
            return str(failure)
        # The newest event is first. ``x-first-death-reason`` would name the retry queue's expiry.
        match self._message.headers.get("x-death"):
            case [{"reason": reason}, *_]:
                return str(reason)
        return ""

    async def ack(self) -> None:
        """Done with. If this does not reach the broker, the message comes again."""
        await _answer_safely(self._message.ack())

    async def requeue(self) -> None:
        """Deliver it again, at once and to any consumer. It counts towards the delivery limit.

        By `reject`, which counts in every version. Since 4.3 a `nack` does not: a message that
        each consumer requeues would go round for ever.
        """
        await _answer_safely(self._message.reject(requeue=True))

    async def return_unused(self) -> None:
        """Requeue a message that arrived while every slot was taken.

        That is no fault of the message, but before 4.3 it counts like one: before the limit is
        near, a copy that counts from zero takes its place at the end of the queue.
        """

        async def requeue_freely() -> None:
            await _answer_safely(self._message.nack(requeue=True))

        returned = self._message.headers.get("x-delivery-count", 0)
        if isinstance(returned, int) and returned >= _RENEW_AT:
            await self._replace(
                self._message.exchange or "", self._copy(self.reason), requeue_freely
            )
        else:
            await requeue_freely()

    async def move_to(self, exchange: str) -> None:
        """Move it to another exchange, under its routing key; if that fails, requeue it."""
        await self._replace(exchange, self._copy(self.reason), self.requeue)

    async def dead_letter(self, reason: str) -> None:
        """Move it to the dead letters, as a copy that carries `reason`.

        Where that fails the message is rejected: the broker makes the dead letter then, and
        its reason is only `rejected`.
        """

        async def reject() -> None:
            await _answer_safely(self._message.reject(requeue=False))

        await self._replace(self._publisher.dead_exchange, self._copy(reason), reject)

    async def _replace(
        self, exchange: str, copy: Message, otherwise: Callable[[], Awaitable[None]]
    ) -> None:
        """Publish `copy` and then acknowledge; a crash between leaves two messages, never none."""
        try:
            await self._publisher.publish(exchange, self.queue, copy)
        except BrokerUnavailable:
            await otherwise()
        else:
            await self.ack()

    def _copy(self, failure: str) -> Message:
        message = self._message
        headers = {FAILURE_HEADER: failure, TRACEPARENT: self.traceparent}
        return Message(
            self.body,
            headers={name: value for name, value in headers.items() if value} or None,
            delivery_mode=DeliveryMode.PERSISTENT,
            content_type=message.content_type,
            correlation_id=message.correlation_id,
            message_id=message.message_id,
            timestamp=message.timestamp,
            type=message.type,
            app_id=message.app_id,
        )


async def _answer_safely(answer: Awaitable[None]) -> None:
    try:
        async with answered(ANSWER_SECONDS):
            await answer
    except BrokerUnavailable:
        log.info("a message will be delivered again: its channel is gone")
