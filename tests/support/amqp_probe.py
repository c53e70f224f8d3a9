"""Bare AMQP, to look at a broker and to do to it what an operator or a stranger would."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from waybill.infra.broker.rabbitmq.topology import EARLIER, Names
from waybill.infra.config.amqp_urls import amqp_urls
from waybill.infra.db.engine import create_engine
from waybill.infra.db.installation import installation_id


@asynccontextmanager
async def bare_channel(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own, to the first of several addresses that answers."""
    async with await _connected(url) as connection, connection.channel() as channel:
        yield channel


async def _connected(text: str) -> AbstractConnection:
    *others, last = amqp_urls(text)
    for url in others:
        with suppress(ConnectionError):
            return await aio_pika.connect(url)
    return await aio_pika.connect(last)


def names_of(database_url: str) -> Names:
    """The names of the installation whose task tables are in this database."""
    engine = create_engine(database_url)
    try:
        return Names(installation_id(engine))
    finally:
        engine.dispose()


async def publish_bytes(url: str, body: bytes, queue: str, names: Names = EARLIER) -> None:
    """Publish `body` for a work queue, as somebody who is not Waybill."""
    async with bare_channel(url) as channel:
        exchange = await channel.get_exchange(names.task_exchange)
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
