"""The queues of earlier versions, whose names hold no id: what is ours is moved to our own.

Every installation in the vhost shares them. A message is ours if our database has its task; what
another installation may still wait for goes back. They are never deleted here: a process of an
earlier version may be at work, and quorum queues cannot be deleted on condition that they are
empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from waybill.infra.broker.port import PROBE, BadMessage, KnownTasks, WakeUp
from waybill.infra.broker.rabbitmq.connection import ANSWER_SECONDS, answered
from waybill.infra.broker.rabbitmq.delivery import RabbitDelivery
from waybill.infra.broker.rabbitmq.publisher import Publisher
from waybill.infra.broker.rabbitmq.topology import EARLIER, Topology

#: Messages that the database is asked about at once.
_BATCH = 200
#: Looking for a queue that does not exist is an error in the log of the server. Only a process of
#: an earlier version makes one.
_ABSENT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class EarlierQueues:
    """What is there of an earlier version."""

    messages: int = 0
    consumers: int = 0


async def find_earlier(connection: AbstractConnection, topology: Topology) -> EarlierQueues | None:
    """The messages in the queues of earlier versions, and who takes them; None without queues.

    Raises:
        BrokerUnavailable: no answer.
    """
    found = []
    for name, _ in _moves(topology):
        async with answered(ANSWER_SECONDS):
            channel = connection.channel(publisher_confirms=False)
            await channel.initialize()
            if queue := await _existing(channel, name):
                found.append(queue.declaration_result)
                await channel.close()
    if not found:
        return None
    return EarlierQueues(
        sum(result.message_count or 0 for result in found),
        sum(result.consumer_count or 0 for result in found),
    )


class TakeOver:
    """Empties the queues of earlier versions, again and again."""

    def __init__(self, publisher: Publisher, topology: Topology) -> None:
        self._publisher = publisher
        self._topology = topology
        #: When a queue that did not exist is looked for again, in seconds of the monotonic clock.
        self._absent_until: dict[str, float] = {}

    async def run(self, connection: AbstractConnection, known: KnownTasks) -> int:
        """Move what is ours to our own queues, one copy at a time, each confirmed; how many.

        Raises:
            BrokerUnavailable: no answer. What was taken is delivered again, to anybody.
        """
        moved = 0
        for name, exchange in _moves(self._topology):
            if monotonic() < self._absent_until.get(name, 0.0):
                continue
            async with answered(ANSWER_SECONDS):
                channel = connection.channel(publisher_confirms=False)
                await channel.initialize()
                queue = await _existing(channel, name)
            if queue is None:
                self._absent_until[name] = monotonic() + _ABSENT_SECONDS
                continue
            try:
                moved += await _empty(queue, self._publisher, exchange, known)
            finally:
                async with answered(ANSWER_SECONDS):
                    await channel.close()
        return moved


def _moves(topology: Topology) -> Iterator[tuple[str, str]]:
    """The queues of earlier versions, and the exchange of ours that gets their messages.

    Those for delays are not among them: they send what is due to the work queues.
    """
    for queue in topology.queues:
        yield EARLIER.work_queue(queue), topology.names.task_exchange
    yield EARLIER.dead, topology.names.dead


async def _existing(channel: AbstractChannel, name: str) -> AbstractQueue | None:
    try:
        return await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        return None


async def _empty(
    queue: AbstractQueue, publisher: Publisher, exchange: str, known: KnownTasks
) -> int:
    """Move what is ours of what waited when this began, and then release the rest."""
    left, moved, foreign = queue.declaration_result.message_count or 0, 0, []
    while left > 0:
        batch = await _take(queue, min(left, _BATCH))
        left = left - _BATCH if batch else 0
        tasks = {message.delivery_tag: _wake_up(message) for message in batch}
        ours = await known({wake_up.task_id for wake_up in tasks.values() if wake_up})
        for message in batch:
            delivery, wake_up = RabbitDelivery(message, publisher), tasks[message.delivery_tag]
            if wake_up is not None and wake_up.kind == PROBE:
                await delivery.ack()
            elif wake_up is not None and wake_up.task_id not in ours:
                foreign.append(delivery)
            else:
                # What is no wake-up is nobody's: it becomes a dead letter, as it always did.
                await delivery.move_to(exchange)
                moved += 1
    for delivery in foreign:
        await delivery.return_unused()
    return moved


async def _take(queue: AbstractQueue, most: int) -> list[AbstractIncomingMessage]:
    batch: list[AbstractIncomingMessage] = []
    async with answered(ANSWER_SECONDS, "read"):
        while len(batch) < most:
            message = await queue.get(fail=False, timeout=None)
            if message is None:
                break
            batch.append(message)
    return batch


def _wake_up(message: AbstractIncomingMessage) -> WakeUp | None:
    try:
        return WakeUp.decode(message.body)
    except BadMessage:
        return None
