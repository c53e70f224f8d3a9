"""What our user may do in a vhost: make the topology, or use one that another user made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed
from aiormq import spec
from aiormq.abc import AbstractChannel as PlainChannel

from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.connection import (
    ANSWER_SECONDS,
    DECLARE_SECONDS,
    BrokerRefused,
    answered,
)
from waybill.infra.broker.rabbitmq.topology import Topology


async def prepare_topology(connection: AbstractConnection, topology: Topology) -> None:
    """Make every exchange and queue that is missing, or find that another user made all of them.

    Raises:
        BrokerUnavailable: no answer, or one of them exists with other arguments.
        BrokerRefused: one is missing, and our user may not make it.
    """
    try:
        async with _channel(connection, DECLARE_SECONDS, "configure") as channel:
            await topology.declare(channel)
    except BrokerRefused as refused:
        try:
            async with _channel(connection, ANSWER_SECONDS, "read") as channel:
                await topology.inspect(channel)
        except BrokerUnavailable as missing:
            raise BrokerRefused(
                f"{missing.message} {refused.message} Run `waybill topology` as a user who has it."
            ) from missing


async def check_rights(connection: AbstractConnection, topology: Topology) -> None:
    """Ask whether we may write to every exchange and read every queue. Nothing changes.

    Each question is one that the broker refuses in any case: for a missing right, or else for a
    wrong argument, which it looks at later.

    Raises:
        BrokerRefused: a right is missing; its name and what it is for are in the message.
        BrokerUnavailable: no answer.
    """
    impossible = spec.Basic.Properties(expiration="never")
    for exchange in topology.exchanges():
        async with _refused(connection, "write") as channel:
            await channel.basic_publish(b"", exchange=exchange.name, properties=impossible)
    for queue in topology.all_queues():
        async with _refused(connection, "read") as channel:
            await channel.basic_consume(
                queue.name, _take_nothing, arguments={"x-priority": "neither high nor low"}
            )


async def _take_nothing(_message: object) -> None:
    """Never called: the broker refuses its consumer."""


@asynccontextmanager
async def _channel(
    connection: AbstractConnection, within_seconds: float, right: str, *, confirms: bool = False
) -> AsyncIterator[AbstractChannel]:
    """A channel for a few questions, which need `right`. One that fails closes it by itself."""
    async with answered(within_seconds, right):
        channel = connection.channel(publisher_confirms=confirms)
        await channel.initialize()
        yield channel
        await channel.close()


@asynccontextmanager
async def _refused(connection: AbstractConnection, right: str) -> AsyncIterator[PlainChannel]:
    """A channel for one question that is refused for its argument, if it is allowed."""
    try:
        async with _channel(connection, ANSWER_SECONDS, right, confirms=True) as channel:
            yield await channel.get_underlay_channel()
    except BrokerUnavailable as error:
        if not isinstance(error.__cause__, ChannelPreconditionFailed):
            raise
