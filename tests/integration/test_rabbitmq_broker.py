"""What is particular to RabbitMQ: its checks, its addresses and secrets, its delivery counts."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from tests.support.amqp_probe import bare_channel, ready_count, take_one
from tests.support.eventually import eventually
from tests.support.servers.ports import free_ports
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.wake_ups import RETRY_DELAYS, Recorder, poison, publish_all, wake_ups
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq import connection as amqp
from waybill.infra.broker.rabbitmq.addresses import BadBrokerUrl, BrokerAddresses
from waybill.infra.broker.rabbitmq.broker import BrokerReport, RabbitBroker
from waybill.infra.broker.rabbitmq.connection import BrokerUnsupported
from waybill.infra.broker.rabbitmq.consumer import ConsumersLost, WatchdogSettings
from waybill.infra.broker.rabbitmq.delivery import RabbitDelivery
from waybill.infra.broker.rabbitmq.publisher import Publisher
from waybill.infra.broker.rabbitmq.topology import EARLIER, Topology


@pytest.fixture
async def broker(rabbitmq_url):
    made = RabbitBroker(rabbitmq_url, ["orders"], delays=RETRY_DELAYS)
    yield made
    await made.close()


async def test_a_check_tells_the_version_and_what_waits(broker):
    await publish_all(broker, wake_ups(3), "orders")
    report = await broker.check()
    assert isinstance(report, BrokerReport)
    product, _, version = report.server.partition(" ")
    assert product == "RabbitMQ"
    assert tuple(int(part) for part in version.split(".")[:2]) >= (3, 10)
    assert report.waiting == {"orders": 3}
    assert report.dead_letters == 0


async def test_a_check_names_what_is_missing(rabbitmq_url):
    broker = RabbitBroker(rabbitmq_url, ["orders"], declare=False, delays=RETRY_DELAYS)
    try:
        with pytest.raises(BrokerUnavailable, match=r"exp\.v1\.task is missing"):
            await broker.check()
        await broker.declare_topology()
        await broker.check()
        async with bare_channel(rabbitmq_url) as channel:
            await channel.queue_delete(EARLIER.work_queue("orders"))
        with pytest.raises(BrokerUnavailable, match=r"exp\.v1\.work\.orders is missing"):
            await broker.check()
    finally:
        await broker.close()


async def test_a_server_that_is_too_old_is_refused_at_once(broker, monkeypatch):
    monkeypatch.setattr(amqp, "MINIMUM_VERSION", (99, 0))
    with pytest.raises(BrokerUnsupported, match=r"RabbitMQ 99\.0 or newer is needed"):
        await broker.publish(wake_ups(1)[0], queue="orders", message_id="1")
    with pytest.raises(BrokerUnsupported):
        async with broker.consume(["orders"], Recorder(), concurrency=1):
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:pass/word@host",
        "amqp://user:password@host:port/",
        "http://user:password@host/",
        "amqp:///vhost",
        "password",
    ],
)
def test_an_address_that_is_not_amqp_is_refused_without_quoting_it(url):
    with pytest.raises(BadBrokerUrl) as caught:
        RabbitBroker(url, ["orders"], delays=RETRY_DELAYS)
    assert "pass" not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_no_log_and_no_error_holds_the_password(rabbitmq_server, rabbitmq_vhost, caplog):
    caplog.set_level(logging.DEBUG)
    url = rabbitmq_server.url(rabbitmq_vhost)
    wrong = url.replace("only%40tests", "hunter2")
    (closed_port,) = free_ports(1)
    unreachable = rabbitmq_server.url(rabbitmq_vhost, port=closed_port)
    errors = []
    for address, logged in (
        (url, "message dead-lettered"),
        (wrong, "consuming interrupted"),
        (unreachable, "consuming interrupted"),
    ):
        broker = RabbitBroker(address, ["orders"], delays=RETRY_DELAYS)
        try:
            await publish_all(broker, [poison()], "orders")
        except BrokerUnavailable as error:
            errors.append(error)
        before = len(caplog.messages)
        async with broker.consume(["orders"], Recorder(), concurrency=1):
            await eventually(lambda: logged in caplog.messages[before:])  # noqa: B023 - awaited here
        await broker.close()
    assert [error.message for error in errors] == [
        "The message broker refused the login.",
        "The message broker cannot be reached.",
    ]
    told = caplog.text + "".join(f"{error!r} {error.__cause__!r}" for error in errors)
    assert "message dead-lettered" in told
    for secret in ("hunter2", "only@tests", "only%40tests"):
        assert secret not in told


async def test_a_vhost_that_does_not_exist_is_named_as_the_problem(rabbitmq_server):
    broker = RabbitBroker(rabbitmq_server.url("nowhere"), ["orders"], delays=RETRY_DELAYS)
    with pytest.raises(BrokerUnavailable, match="no such vhost"):
        await broker.publish(wake_ups(1)[0], queue="orders", message_id="1")
    await broker.close()


async def test_a_message_there_was_never_room_for_does_not_become_a_dead_letter(
    broker, rabbitmq_url
):
    (message,) = wake_ups(1)
    await publish_all(broker, [message], "orders")
    publisher = Publisher(
        BrokerAddresses.parse(rabbitmq_url), Topology((), ()), timedelta(seconds=10), declare=False
    )
    async with bare_channel(rabbitmq_url) as channel:
        for _ in range(25):
            found = await eventually(lambda: take_one(channel, EARLIER.work_queue("orders")))
            await RabbitDelivery(found, publisher).return_unused()
    await publisher.close()
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        assert await received.until(1) == [message]
    assert await ready_count(rabbitmq_url, EARLIER.dead) == 0


async def test_consumers_that_cannot_come_back_end_the_worker(rabbitmq_server):
    (closed_port,) = free_ports(1)
    broker = RabbitBroker(
        rabbitmq_server.url(port=closed_port),
        ["orders"],
        watchdog=WatchdogSettings(give_up_after=timedelta(seconds=0.5)),
        delays=RETRY_DELAYS,
    )
    with pytest.raises(ConsumersLost):
        async with broker.consume(["orders"], Recorder(), concurrency=1):
            await asyncio.Event().wait()
    await broker.close()


async def test_closing_while_connecting_is_an_error_for_who_publishes(rabbitmq_server):
    with TcpProxy(rabbitmq_server.port) as proxy:
        proxy.blackhole()
        broker = RabbitBroker(rabbitmq_server.url(port=proxy.port), ["orders"], delays=RETRY_DELAYS)
        publishing = asyncio.create_task(publish_all(broker, wake_ups(1), "orders"))
        await eventually(lambda: proxy.accepted)
        await broker.close()
        with pytest.raises(BrokerUnavailable, match="closed"):
            await publishing
