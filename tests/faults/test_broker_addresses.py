"""F95: several addresses of one broker: proxies before the same server, and closed ports."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import quote

import pytest

from tests.support.eventually import eventually
from tests.support.servers.certificates import self_signed
from tests.support.servers.ports import free_ports
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.wake_ups import RETRY_DELAYS, Recorder, publish_all, wake_ups
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.consumer import ConsumersLost, WatchdogSettings


@pytest.fixture
def proxies(rabbitmq_server):
    with ExitStack() as stack:
        yield [stack.enter_context(TcpProxy(rabbitmq_server.port)) for _ in range(2)]


@pytest.fixture
def broker_at(rabbitmq_server, rabbitmq_vhost):
    """A broker whose setting names these ports, in this order."""

    def build(*ports: int, give_up_after: float = 60) -> RabbitBroker:
        first, *others = ports
        url = rabbitmq_server.url(rabbitmq_vhost, port=first)
        several = ",".join([f":{first}", *(f"127.0.0.1:{port}" for port in others)])
        return RabbitBroker(
            url.replace(f":{first}", several),
            ["orders"],
            publish_timeout=timedelta(seconds=1.5),
            watchdog=WatchdogSettings(
                check_every=timedelta(seconds=0.2), give_up_after=timedelta(seconds=give_up_after)
            ),
            delays=RETRY_DELAYS,
        )

    return build


async def test_f95_a_frozen_address_is_passed_over_and_not_asked_first_again(broker_at, proxies):
    frozen, healthy = proxies
    frozen.blackhole()
    broker, received = broker_at(frozen.port, healthy.port), Recorder()
    await publish_all(broker, wake_ups(1), "orders")
    assert frozen.accepted == 1
    # What the publisher found out, the consumer of the same process knows.
    async with broker.consume(["orders"], received, concurrency=1):
        await received.until(1)
        healthy.reset()
        await publish_until_confirmed(broker)
        await received.until(2)
    assert frozen.accepted == 1
    await broker.close()


async def test_f95_an_address_that_freezes_under_a_session_is_left_for_another(broker_at, proxies):
    first, second = proxies
    broker, received = broker_at(first.port, second.port), Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        await publish_all(broker, wake_ups(1), "orders")
        await received.until(1)
        assert second.accepted == 0
        first.blackhole()
        async with asyncio.timeout(60):
            await publish_until_confirmed(broker)
            await received.until(2)
    first.heal()
    await broker.close()


async def test_f95_a_worker_ends_only_when_no_address_answers(broker_at, proxies):
    (closed_port,) = free_ports(1)
    (healthy, _) = proxies
    broker, received = broker_at(closed_port, healthy.port, give_up_after=0.5), Recorder()

    async def consume() -> None:
        async with broker.consume(["orders"], received, concurrency=1):
            await asyncio.Event().wait()

    consuming = asyncio.create_task(consume())
    await publish_all(broker, wake_ups(1), "orders")
    await received.until(1)
    done, _ = await asyncio.wait([consuming], timeout=2)
    assert not done
    healthy.refuse()
    with pytest.raises(ConsumersLost):
        await asyncio.wait_for(consuming, 30)
    await broker.close()


async def test_f95_a_check_names_the_addresses_that_do_not_let_us_in(broker_at, proxies):
    (closed_port,) = free_ports(1)
    broker = broker_at(closed_port, proxies[0].port)
    await broker.declare_topology()
    report = await broker.check()
    assert report.unreachable == [f"127.0.0.1:{closed_port}"]
    await broker.close()


async def test_f95_a_certificate_is_held_against_the_name_in_the_setting(
    rabbitmq_server, rabbitmq_vhost, tmp_path
):
    certificate = self_signed(tmp_path, "localhost")
    with TcpProxy(rabbitmq_server.port, tls=certificate.server()) as proxy:
        url = rabbitmq_server.url(rabbitmq_vhost, port=proxy.port).replace("amqp://", "amqps://")
        url = f"{url.replace('127.0.0.1', 'localhost')}?cafile={quote(str(certificate.pem))}"
        broker = RabbitBroker(url, ["orders"], delays=RETRY_DELAYS)
        await publish_all(broker, wake_ups(1), "orders")
        await broker.close()


async def publish_until_confirmed(broker: RabbitBroker) -> None:
    async def publish() -> bool:
        await publish_all(broker, wake_ups(1), "orders")
        return True

    await eventually(publish)
