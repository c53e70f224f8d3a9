"""Whether queues confirm messages: asked with wake-ups for no task, once or again and again.

A quorum queue without most of its members is declared and counted as if all were well, and
confirms nothing. RabbitMQ's own tools know its members; a client learns of it by publishing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError

from waybill.infra.broker.port import PROBE, BrokerUnavailable, WakeUp
from waybill.infra.broker.rabbitmq.connection import ANSWER_SECONDS, answered
from waybill.infra.broker.rabbitmq.messages import wake_up_message
from waybill.infra.broker.rabbitmq.publisher import Publisher
from waybill.infra.broker.rabbitmq.topology import Topology
from waybill.timing import every

#: A queue with at least this many waiting messages is not probed: no worker takes the probes.
_MOST_WAITING = 1000
#: Where no worker takes them, probes of other queues than work queues are gone after this time. One
#: behind a message that stays has to wait for it, so dead letters are probed while there are none.
_PROBE_LIFE = timedelta(seconds=1)
#: One probe may meet an election or a node that restarts.
_FAILURES = 2


class QueueUnconfirmed(BrokerUnavailable):
    """A queue confirms no message."""

    code = "queue_unconfirmed"


async def probe_queue(
    publisher: Publisher, topology: Topology, queue: str, exchange: str, routing_key: str
) -> None:
    """Leave one wake-up for no task in a queue. A worker looks for work, and is done.

    `queue` is the name in RabbitMQ, to which `exchange` and `routing_key` lead. Among dead letters
    a worker passes over it.

    Raises:
        QueueUnconfirmed: the broker answers, and the queue does not.
        BrokerUnavailable: the message was not confirmed for another reason.
    """
    probe = WakeUp(uuid4(), 0, PROBE)
    message = wake_up_message(probe, str(probe.task_id))
    if exchange != topology.names.task_exchange:
        message.expiration = _PROBE_LIFE
    connection = await publisher.connection()
    try:
        await publisher.publish(exchange, routing_key, message)
    except BrokerUnavailable as error:
        cause = error.__cause__
        refused = isinstance(cause, DeliveryError) and not isinstance(cause, PublishError)
        silent = isinstance(cause, TimeoutError) and not await _is_blocked(connection)
        if not refused and not silent:
            raise
        raise QueueUnconfirmed(
            f"The queue {queue} confirms no message:"
            " it is full, or most of the queue's members are away."
        ) from cause


async def _is_blocked(connection: AbstractConnection) -> bool:
    """Whether the broker, short of memory or disk, takes messages for no queue at all."""
    if connection.transport is None:
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await connection.transport.connection.ready()
            return False
    return True


class QueueWatch:
    """Probes the queues while somebody asks, at most once in a time, however many ask.

    It has a connection of its own: what it finds is no reason to drop the one of the relay.
    """

    def __init__(self, publisher: Publisher, topology: Topology, pause: timedelta) -> None:
        """`pause` is the time between two probes of a queue."""
        self._publisher = publisher
        self._topology = topology
        self._pause_seconds = pause.total_seconds()
        self._asked = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failed: dict[str, int] = {}
        self._failure: QueueUnconfirmed | None = None

    def check(self) -> None:
        """Raise what the last probes found. Asks nothing itself, so any thread may call it.

        Raises:
            QueueUnconfirmed: a queue has confirmed no message twice in a row.
        """
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._asked.set)
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        """Probe until cancelled, for the first time once `check` is called."""
        self._loop = asyncio.get_running_loop()
        try:
            async for _ in every(self._pause_seconds, jitter=0.2):
                await self._asked.wait()
                self._asked.clear()
                self._failure = await self._probe()
        finally:
            self._loop = None
            await self._publisher.close()

    async def _probe(self) -> QueueUnconfirmed | None:
        found = None
        for queue, exchange, key in self._topology.probes():
            most = 1 if queue == self._topology.names.dead else _MOST_WAITING
            try:
                if await self._waiting(queue) < most:
                    await probe_queue(self._publisher, self._topology, queue, exchange, key)
            except QueueUnconfirmed as error:
                self._failed[queue] = self._failed.get(queue, 0) + 1
                if self._failed[queue] >= _FAILURES:
                    found = found or error
            except BrokerUnavailable:
                # The broker is away: its queues may be well.
                self._failed.clear()
                return None
            else:
                self._failed[queue] = 0
        return found

    async def _waiting(self, queue: str) -> int:
        connection = await self._publisher.connection()
        async with answered(ANSWER_SECONDS):
            channel = connection.channel(publisher_confirms=False)
            await channel.initialize()
            found = await channel.declare_queue(queue, passive=True)
            await channel.close()
        return found.declaration_result.message_count or 0
