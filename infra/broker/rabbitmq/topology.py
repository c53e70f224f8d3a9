"""Waybill's exchanges and queues in RabbitMQ, and the reason for each argument.

::

    relay ─► …task (direct) ─ queue name ─► …work.<queue>         one per work queue
    relay ─► …retry.<delay> (fanout) ─► …retry.<delay>            one per delay
                 └─ after <delay> ─► …task, by the routing key it came with
    …work.<queue> ─ rejected, delivered too often ─► …dead (topic) ─► …dead

    worker ─► exp.v1.installations (fanout) ─► exp.v1.installations     one per vhost

Every ``…`` is ``exp.v1.<installation>.``: installations that share a vhost share one queue, in
which each leaves its id for the others to read (`installations.py`). Earlier versions had no
id in their names (`earlier.py`).

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

from waybill.infra.broker.port import PROBE, BrokerUnavailable

_PREFIX = "exp.v1."
#: The exchange and the queue of the ids of all installations in the vhost.
INSTALLATIONS = f"{_PREFIX}installations"

#: Deliveries of one message before the broker calls it poison. A message is returned when a
#: worker dies before its claim, which no honest message causes ten times. Explicit, because
#: 3.10 has no limit, 4.x has 20, and -1 makes 3.10 drop messages without a word.
_DELIVERY_LIMIT = 10
#: The dead queue has nowhere to send what exceeds its limit: it would be dropped.
_DEAD_DELIVERY_LIMIT = 1000
#: A wake-up has about 100 bytes. Beyond this the database keeps them and publishing fails.
_MAX_LENGTH = 100_000
#: An id that was not renewed for this long is that of an installation that has left.
INSTALLATION_TTL = timedelta(days=1)
_MAX_INSTALLATIONS = 1000

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)

Arguments = dict[str, str | int]


class TopologyMissing(BrokerUnavailable):
    """An exchange or a queue of ours is missing in the message broker."""

    code = "topology_missing"
    retry = False


@dataclass(frozen=True, slots=True)
class Names:
    """What the exchanges and queues of one installation are called.

    Without an `installation` they have the names of earlier versions, which every installation
    in the vhost shares.
    """

    installation: str = ""

    @property
    def prefix(self) -> str:
        """What every name but that of `INSTALLATIONS` begins with."""
        return f"{_PREFIX}{self.installation}." if self.installation else _PREFIX

    @property
    def task_exchange(self) -> str:
        """Where wake-ups are published, with the name of a work queue as routing key."""
        return f"{self.prefix}task"

    @property
    def dead(self) -> str:
        """The exchange and the queue of dead letters."""
        return f"{self.prefix}dead"

    def work_queue(self, queue: str) -> str:
        """The RabbitMQ name of a work queue."""
        return f"{self.prefix}work.{queue}"

    def retry(self, delay: timedelta) -> str:
        """The RabbitMQ name of the exchange and the queue of one delay.

        The name holds the delay: other delays mean other queues, never other arguments.
        """
        if delay % _MINUTE == timedelta(0):
            return f"{self.prefix}retry.{delay // _MINUTE}m"
        if delay % _SECOND == timedelta(0):
            return f"{self.prefix}retry.{delay // _SECOND}s"
        return f"{self.prefix}retry.{_milliseconds(delay)}ms"


#: The names of earlier versions.
EARLIER = Names()


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
    """Every exchange and queue of one installation in a RabbitMQ vhost."""

    queues: tuple[str, ...]
    #: The delays a message can be published with, from `WAYBILL_RETRY_DELAYS`.
    delays: tuple[timedelta, ...]
    names: Names = EARLIER

    def exchanges(self) -> Iterator[ExchangeSpec]:
        """Every exchange."""
        yield ExchangeSpec(self.names.task_exchange, ExchangeType.DIRECT)
        yield ExchangeSpec(self.names.dead, ExchangeType.TOPIC)
        for delay in self.delays:
            yield ExchangeSpec(self.names.retry(delay), ExchangeType.FANOUT)
        if self.names.installation:
            yield ExchangeSpec(INSTALLATIONS, ExchangeType.FANOUT)

    def all_queues(self) -> Iterator[QueueSpec]:
        """Every queue: the dead one first, since the others send their dead letters there."""
        names = self.names
        yield QueueSpec(names.dead, _quorum(_DEAD_DELIVERY_LIMIT), names.dead, "#")
        for queue in self.queues:
            arguments = _quorum(_DELIVERY_LIMIT) | _dead_letter_to(names.dead)
            yield QueueSpec(names.work_queue(queue), arguments, names.task_exchange, queue)
        for delay in self.delays:
            name = names.retry(delay)
            arguments = (
                _quorum(_DELIVERY_LIMIT)
                | _dead_letter_to(names.task_exchange)
                | {"x-message-ttl": _milliseconds(delay)}
            )
            yield QueueSpec(name, arguments, name, "")
        if names.installation:
            # What is lost of it is there again a minute later, so the oldest makes room.
            arguments = _quorum(_DEAD_DELIVERY_LIMIT) | {
                "x-message-ttl": _milliseconds(INSTALLATION_TTL),
                "x-max-length": _MAX_INSTALLATIONS,
                "x-overflow": "drop-head",
            }
            yield QueueSpec(INSTALLATIONS, arguments, INSTALLATIONS, "")

    def probes(self) -> Iterator[tuple[str, str, str]]:
        """Every queue that a message may wait in, with the exchange and the key that lead there.

        What waits for a delay goes on to a work queue: for probes, to the last one.
        """
        names = self.names
        for queue in self.queues:
            yield names.work_queue(queue), names.task_exchange, queue
        for delay in self.delays if self.queues else ():
            yield names.retry(delay), names.retry(delay), self.queues[-1]
        yield names.dead, names.dead, PROBE

    def exchange_for(self, delay: timedelta) -> str:
        """Where to publish: to the shortest delay that is long enough, or else the longest."""
        if delay <= timedelta(0) or not self.delays:
            return self.names.task_exchange
        long_enough = [known for known in self.delays if known >= delay]
        return self.names.retry(min(long_enough, default=max(self.delays)))

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
            TopologyMissing: an exchange or a queue is not there. The channel is closed then.
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
            raise TopologyMissing(f"{name} is missing in the message broker.") from error
        return counts


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
