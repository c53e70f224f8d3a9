"""The ids of all installations in a vhost: AMQP lists no queues, so each leaves its id in one.

The queue is read by taking every message and giving back those of others. A process that reads at
the same moment may find none of them: it learns of them a minute later.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from waybill.infra.broker.rabbitmq.topology import INSTALLATIONS

_ID = re.compile(rb"[0-9a-f]{12}")


async def announce(channel: AbstractChannel, installation: str) -> list[str]:
    """Leave our id in the vhost, in place of the one we left before; the ids of others.

    `channel` confirms what is published. It is for this call alone.
    """
    taken = await _take_all(channel)
    exchange = await channel.get_exchange(INSTALLATIONS, ensure=False)
    message = Message(
        installation.encode(), delivery_mode=DeliveryMode.PERSISTENT, timestamp=datetime.now(UTC)
    )
    await exchange.publish(message, "")
    for one in taken:
        if one.body == installation.encode():
            await one.ack()
    return await _release(taken, installation)


async def others(channel: AbstractChannel, installation: str) -> list[str]:
    """The ids of other installations that were in the vhost during the last day."""
    return await _release(await _take_all(channel), installation)


async def _take_all(channel: AbstractChannel) -> list[AbstractIncomingMessage]:
    queue = await channel.get_queue(INSTALLATIONS, ensure=False)
    taken = []
    while (message := await queue.get(fail=False, timeout=None)) is not None:
        taken.append(message)
    return taken


async def _release(taken: list[AbstractIncomingMessage], installation: str) -> list[str]:
    for message in taken:
        if not message.processed:
            await message.nack(requeue=True)
    # What is no id was left by a stranger, and is shown to nobody.
    found = {message.body.decode() for message in taken if _ID.fullmatch(message.body)}
    return sorted(found - {installation})
