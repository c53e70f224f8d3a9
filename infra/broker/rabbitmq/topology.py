"""Waybill's exchanges and queues in RabbitMQ, and the reason for each argument.

::

    relay ─► exp.v1.task (direct) ─ queue name ─► exp.v1.work.<queue>     one per work queue
    relay ─► exp.v1.retry.<delay> (fanout) ─► exp.v1.retry.<delay>        one per delay
                 └─ after <delay> ─► exp.v1.task, by the routing key it came with
    exp.v1.work.<queue> ─ rejected, delivered too often ─► exp.v1.dead (topic) ─► exp.v1.dead

Every argument is valid on RabbitMQ 3.10 to 4.x. They cannot be changed on a queue that
exists, so names carry a version: another one is declared beside the old, and that drained.
There is no alternate exchange: it would swallow unroutable messages, and publishers must
learn of those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from waybill.infra.broker.port import BrokerUnavailable

_PREFIX = "exp.v1."
TASK_EXCHANGE = f"{_PREFIX}task"
DEAD_EXCHANGE = f"{_PREFIX}dead"
DEAD_QUEUE = f"{_PREFIX}dead"

#: Deliveries of one message before the broker calls it poison. A message is returned when a
#: worker dies before its claim, which no honest message causes ten times. Explicit, because
#: 3.10 has no limit, 4.x has 20, and -1 makes 3.10 drop messages without a word.
_DELIVERY_LIMIT = 10
#: The dead queue has nowhere to send what exceeds its limit: it would be dropped.
_DEAD_DELIVERY_LIMIT = 1000
#: A wake-up has about 100 bytes. Beyond this the database keeps them and publishing fails.
_MAX_LENGTH = 100_000

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)

Arguments = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class ExchangeSpec:
    """One durable exchange."""

    name: str
    kind: ExchangeType


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """One durable quorum queue and the binding that fills it."""

    name: str
    arguments: Arguments
    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Every exchange and queue of Waybill in one RabbitMQ vhost."""

    queues: tuple[str, ...]
    #: The delays a message can be published with, from `WAYBILL_RETRY_DELAYS`.
    delays: tuple[timedelta, ...]

    def exchanges(self) -> Iterator[ExchangeSpec]:
        """Every exchange."""
        yield ExchangeSpec(TASK_EXCHANGE, ExchangeType.DIRECT)
        yield ExchangeSpec(DEAD_EXCHANGE, ExchangeType.TOPIC)
        for delay in self.delays:
            yield ExchangeSpec(retry_queue_name(delay), ExchangeType.FANOUT)

    def all_queues(self) -> Iterator[QueueSpec]:
        """Every queue: the dead one first, since the others send their dead letters there."""
        yield QueueSpec(DEAD_QUEUE, _quorum(_DEAD_DELIVERY_LIMIT), DEAD_EXCHANGE, "#")
        for queue in self.queues:
            arguments = _quorum(_DELIVERY_LIMIT) | _dead_letter_to(DEAD_EXCHANGE)
            yield QueueSpec(work_queue(queue), arguments, TASK_EXCHANGE, queue)
        for delay in self.delays:
            name = retry_queue_name(delay)
            arguments = (
                _quorum(_DELIVERY_LIMIT)
                | _dead_letter_to(TASK_EXCHANGE)
                | {"x-message-ttl": _milliseconds(delay)}
            )
            yield QueueSpec(name, arguments, name, "")

    def exchange_for(self, delay: timedelta) -> str:
        """Where to publish: to the shortest delay that is long enough, or else the longest."""
        if delay <= timedelta(0) or not self.delays:
            return TASK_EXCHANGE
        long_enough = [known for known in self.delays if known >= delay]
        return retry_queue_name(min(long_enough, default=max(self.delays)))

    async def declare(self, channel: AbstractChannel) -> None:
        """Make everything that is missing. Idempotent; needs configure rights.

        Raises:
            aio_pika.exceptions.ChannelPreconditionFailed: something of that name exists with
                other arguments. The channel is closed then.
        """
        for exchange in self.exchanges():
            await channel.declare_exchange(exchange.name, exchange.kind, durable=True)
        for spec in self.all_queues():
            queue = await channel.declare_queue(
                spec.name, durable=True, arguments=dict(spec.arguments)
            )
            await queue.bind(spec.exchange, spec.routing_key)

    async def inspect(self, channel: AbstractChannel) -> dict[str, int]:
        """The messages ready in every queue, by RabbitMQ name. Needs no configure rights.

        Raises:
            BrokerUnavailable: an exchange or a queue is missing. The channel is closed then.
        """
        counts: dict[str, int] = {}
        name = ""
        try:
            for exchange in self.exchanges():
                name = exchange.name
                await channel.declare_exchange(name, passive=True)
            for spec in self.all_queues():
                name = spec.name
                queue = await channel.declare_queue(name, passive=True)
                counts[name] = queue.declaration_result.message_count or 0
        except ChannelNotFoundEntity as error:
            raise BrokerUnavailable(f"{name} is missing in the message broker.") from error
        return counts


def work_queue(queue: str) -> str:
    """The RabbitMQ name of a work queue."""
    return f"{_PREFIX}work.{queue}"


def retry_queue_name(delay: timedelta) -> str:
    """The RabbitMQ name of the exchange and the queue of one delay.

    The name holds the delay: other delays mean other queues, never other arguments.
    """
    if delay % _MINUTE == timedelta(0):
        return f"{_PREFIX}retry.{delay // _MINUTE}m"
    if delay % _SECOND == timedelta(0):
        return f"{_PREFIX}retry.{delay // _SECOND}s"
    return f"{_PREFIX}retry.{_milliseconds(delay)}ms"


def _milliseconds(delay: timedelta) -> int:
    return delay // timedelta(milliseconds=1)


def _quorum(delivery_limit: int) -> Arguments:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": delivery_limit,
        "x-overflow": "reject-publish",
        "x-max-length": _MAX_LENGTH,
    }


def _dead_letter_to(exchange: str) -> Arguments:
    """Dead letters are kept until `exchange` has them confirmed, which `reject-publish` allows.

    Without a dead-letter routing key: the key a message came with names its work queue.
    """
    return {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
    }
