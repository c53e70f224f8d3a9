"""Users of RabbitMQ with fewer rights than ours has by default, and servers that are another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pamqp import commands, frame

from tests.support.eventually import eventually
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.rabbitmq_broker import ClusteredServer
from tests.support.wake_ups import RETRY_DELAYS, Recorder, publish_all, wake_ups
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.connection import BrokerRefused, BrokerUnsupported

Rights = Callable[..., None]


@pytest.fixture
def rights(rabbitmq_server: RabbitServer | ClusteredServer, rabbitmq_vhost: str) -> Rights:
    """Sets what the user may do in the vhost of the test."""
    return lambda **patterns: rabbitmq_server.set_rights(rabbitmq_vhost, **patterns)


@pytest.fixture
async def connect(rabbitmq_url: str) -> AsyncIterator[Callable[[], RabbitBroker]]:
    """Makes brokers as processes make them, and closes them."""
    made: list[RabbitBroker] = []

    def make() -> RabbitBroker:
        made.append(RabbitBroker(rabbitmq_url, ["orders"], delays=RETRY_DELAYS))
        return made[-1]

    yield make
    for broker in made:
        await broker.close()


async def test_read_and_write_are_enough_once_the_topology_is_there(
    connect: Any, rights: Rights
) -> None:
    await connect().declare_topology()
    rights(configure="^$")
    broker = connect()
    await publish_all(broker, wake_ups(2), "orders")
    recorder = Recorder()
    async with broker.consume(["orders"], recorder, concurrency=1):
        await eventually(lambda: len(recorder.seen) == 2)
    await broker.check()
    broker.check_access()


async def test_what_is_missing_and_may_not_be_made_is_named(connect: Any, rights: Rights) -> None:
    rights(configure="^$")
    broker = connect()
    with pytest.raises(BrokerRefused) as caught:
        await broker.connect()
    assert caught.value.message == (
        "exp.v1.task is missing in the message broker. Our user lacks the configure right for the"
        " exchange exp.v1.task in the message broker. Run `waybill topology` as a user who has it."
    )
    with pytest.raises(BrokerRefused):
        broker.check_access()


async def test_a_right_to_write_that_is_missing_is_named_until_it_is_there(
    connect: Any, rights: Rights
) -> None:
    await connect().declare_topology()
    rights(configure="^$", write="^nothing$")
    broker = connect()
    lacks = "Our user lacks the write right for the exchange exp.v1.task in the message broker."
    for question in (broker.check, lambda: publish_all(broker, wake_ups(1), "orders")):
        with pytest.raises(BrokerRefused) as caught:
            await question()
        assert caught.value.message == lacks
    with pytest.raises(BrokerRefused, match="lacks the write right"):
        broker.check_access()

    rights(configure="^$")
    await publish_all(broker, wake_ups(1), "orders")
    broker.check_access()
    assert (await broker.check()).waiting == {"orders": 1}


async def test_a_right_to_read_that_is_missing_is_named(connect: Any, rights: Rights) -> None:
    await connect().declare_topology()
    rights(read="^exp[.]v1[.](task|dead|retry.*)$")
    with pytest.raises(
        BrokerRefused, match=r"lacks the read right for the queue exp\.v1\.work\.orders"
    ):
        await connect().check()


async def test_checking_rights_leaves_no_message_and_takes_none(connect: Any) -> None:
    broker = connect()
    await publish_all(broker, wake_ups(1), "orders")
    for _ in range(2):
        report = await broker.check()
        assert (report.waiting, report.dead_letters) == ({"orders": 1}, 0)


async def test_another_product_is_called_by_its_name() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As much of AMQP as a client sees before it knows the version."""
        answers = [
            commands.Connection.Start(server_properties={"product": "LavinMQ", "version": "2.4.0"}),
            commands.Connection.Tune(channel_max=10, frame_max=4096, heartbeat=0),
            commands.Connection.OpenOk(),
            commands.Connection.CloseOk(),
        ]
        for answer in answers:
            if not await reader.read(4096):
                break
            writer.write(frame.marshal(answer, 0))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        broker = RabbitBroker(f"amqp://u:p@127.0.0.1:{port}/", ["orders"], delays=RETRY_DELAYS)
        with pytest.raises(BrokerUnsupported) as caught:
            await broker.check()
        await broker.close()
    assert caught.value.message == "RabbitMQ 3.10 or newer is needed; this is LavinMQ 2.4.0."
