"""Bare AMQP, to look at a broker and to do to it what an operator or a stranger would."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from waybill.infra.broker.rabbitmq.topology import TASK_EXCHANGE


@asynccontextmanager
async def bare_channel(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


async def publish_bytes(url: str, body: bytes, queue: str) -> None:
    """Publish `body` for a work queue, as somebody who is not Waybill."""
    async with bare_channel(url) as channel:
        exchange = await channel.get_exchange(TASK_EXCHANGE)
        message = aio_pika.Message(body, message_id=str(uuid.uuid4()))
        await exchange.publish(message, queue)


async def ready_count(url: str, name: str) -> int:
    """Messages in a queue that nobody holds."""
    async with bare_channel(url) as channel:
        queue = await channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count


async def consumer_count(url: str, name: str) -> int:
    """Consumers of a queue."""
    async with bare_channel(url) as channel:
        queue = await channel.declare_queue(name, passive=True)
        return queue.declaration_result.consumer_count


async def take_one(channel: AbstractChannel, name: str) -> AbstractIncomingMessage | None:
    """Take one message of a queue, unacknowledged; None when there is none."""
    queue = await channel.get_queue(name)
    return await queue.get(fail=False)
