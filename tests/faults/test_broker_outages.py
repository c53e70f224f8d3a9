"""Faults of the whole broker: stopped, killed, frozen, wiped. What was confirmed is delivered.

The numbers are those of the fault matrix in RELIABILITY.md.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.support.amqp_probe import consumer_count
from tests.support.eventually import eventually
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.wake_ups import RETRY_DELAYS, Recorder, publish_all, wake_ups
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq import queue_poller
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.consumer import ConsumersLost, WatchdogSettings
from waybill.infra.broker.rabbitmq.topology import EARLIER

QUEUES = ["orders", "users"]


@pytest.fixture
async def broker(rabbitmq_url):
    made = RabbitBroker(
        rabbitmq_url,
        QUEUES,
        publish_timeout=timedelta(seconds=1.5),
        watchdog=WatchdogSettings(check_every=timedelta(seconds=0.5)),
        delays=RETRY_DELAYS,
    )
    yield made
    await made.close()


async def publish_until_confirmed(broker, messages, queue):
    async def publish() -> bool:
        await publish_all(broker, messages, queue)
        return True

    await eventually(publish)


async def test_f10_after_a_restart_idle_consumers_are_back_on_all_queues(broker, rabbitmq_server):
    received, before, users, orders = Recorder(), wake_ups(1), wake_ups(1), wake_ups(1)
    async with broker.consume(QUEUES, received, concurrency=2):
        await publish_all(broker, before, "orders")
        await received.until(1)
        await asyncio.to_thread(rabbitmq_server.stop)
        await asyncio.to_thread(rabbitmq_server.start)
        await publish_until_confirmed(broker, users, "users")
        await publish_all(broker, orders, "orders")
        # An acknowledgement that the restart cut off brings its message once more.
        await eventually(lambda: set(received.seen) == {*before, *users, *orders})


async def test_f11_confirmed_messages_survive_a_killed_broker(broker, rabbitmq_server):
    sent = wake_ups(100)
    later = wake_ups(1)
    await publish_all(broker, sent, "orders")
    # One waits in a retry queue, which has to survive as well.
    await broker.publish(later[0], queue="users", message_id="x", delay=timedelta(seconds=2))
    await asyncio.to_thread(rabbitmq_server.kill)
    await asyncio.to_thread(rabbitmq_server.start)
    received = Recorder()
    async with broker.consume(QUEUES, received, concurrency=2):
        assert set(await received.until(101)) == {*sent, *later}


async def test_f12_a_frozen_broker_stops_no_work_and_is_used_again_when_it_thaws(
    broker, rabbitmq_server, rabbitmq_url, monkeypatch
):
    monkeypatch.setattr(queue_poller, "ANSWER_SECONDS", 1.0)
    thawed = asyncio.Event()
    worked = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(2)
        assert not thawed.is_set()
        worked.set()

    busy, received = Recorder(work=work), Recorder()
    first, second, third = wake_ups(3)
    async with (
        broker.consume(["orders"], busy, concurrency=2),
        broker.consume(["users"], received, concurrency=1),
    ):
        await publish_all(broker, [first], "orders")
        await busy.until(1)
        rabbitmq_server.sigstop()
        try:
            with pytest.raises(BrokerUnavailable, match="did not answer in time"):
                await broker.publish(second, queue="users", message_id="2")
            await asyncio.wait_for(worked.wait(), 10)
        finally:
            thawed.set()
            rabbitmq_server.sigcont()
        await publish_until_confirmed(broker, [third], "users")
        await eventually(lambda: third in received.seen)
        await eventually(lambda: consumer_count(rabbitmq_url, EARLIER.work_queue("orders")))


async def test_f31_after_the_data_was_wiped_everything_is_declared_again(rabbitmq_server):
    broker = RabbitBroker(rabbitmq_server.url(), QUEUES, delays=RETRY_DELAYS)
    received, before, after = Recorder(), wake_ups(1), wake_ups(2)
    async with broker.consume(QUEUES, received, concurrency=1):
        await publish_all(broker, before, "orders")
        await received.until(1)
        await asyncio.to_thread(rabbitmq_server.stop)
        rabbitmq_server.wipe()
        await asyncio.to_thread(rabbitmq_server.start)
        await publish_until_confirmed(broker, after[:1], "users")
        await publish_all(broker, after[1:], "orders")
        await received.until(3)
    report = await broker.check()
    assert set(report.waiting) == set(QUEUES)
    await broker.close()


async def test_a_worker_that_has_work_left_is_not_ended_for_want_of_more(
    rabbitmq_server, rabbitmq_vhost
):
    with TcpProxy(rabbitmq_server.port) as proxy:
        broker = RabbitBroker(
            rabbitmq_server.url(rabbitmq_vhost, port=proxy.port),
            QUEUES,
            watchdog=WatchdogSettings(
                check_every=timedelta(seconds=0.2), give_up_after=timedelta(seconds=0.5)
            ),
            delays=RETRY_DELAYS,
        )
        finish = asyncio.Event()
        received = Recorder(work=finish.wait)

        async def consume() -> None:
            async with broker.consume(["orders"], received, concurrency=2):
                await asyncio.Event().wait()

        consuming = asyncio.create_task(consume())
        await publish_all(broker, wake_ups(1), "orders")
        await received.until(1)
        proxy.refuse()
        done, _ = await asyncio.wait([consuming], timeout=2)
        assert not done
        proxy.heal()
        await publish_until_confirmed(broker, wake_ups(1), "orders")
        await received.until(2)
        proxy.refuse()
        finish.set()
        with pytest.raises(ConsumersLost):
            await asyncio.wait_for(consuming, 20)
        await broker.close()
