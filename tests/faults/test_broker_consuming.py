"""Faults while consuming: consumers come back, messages come again, and work goes on.

The numbers are those of the fault matrix in RELIABILITY.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from tests.support.amqp_probe import bare_channel, consumer_count, publish_bytes, ready_count
from tests.support.eventually import eventually
from tests.support.servers.rabbitmq import PATIENCE_SECONDS
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.wake_ups import (
    RETRY_DELAYS,
    DeadLetterRecorder,
    Recorder,
    poison,
    publish_all,
    wake_ups,
)
from waybill.infra.broker.port import VERSION, WakeUp
from waybill.infra.broker.rabbitmq import queue_poller
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.consumer import WatchdogSettings
from waybill.infra.broker.rabbitmq.topology import EARLIER

QUEUES = ["orders", "users"]
QUICK = WatchdogSettings(check_every=timedelta(seconds=0.5))


@pytest.fixture
def proxy(rabbitmq_server):
    with TcpProxy(rabbitmq_server.port) as proxy:
        yield proxy


@pytest.fixture
def impatience(rabbitmq_server):
    """The broker closes the channels of this test that keep a delivery for long."""
    with rabbitmq_server.impatient():
        yield


@pytest.fixture
async def direct(rabbitmq_url):
    """A broker that faults of the network do not reach, to publish with."""
    made = RabbitBroker(rabbitmq_url, QUEUES, delays=RETRY_DELAYS)
    yield made
    await made.close()


@pytest.fixture
async def proxied(rabbitmq_server, rabbitmq_vhost, proxy):
    """A broker that is reached through the proxy, to consume with."""
    url = rabbitmq_server.url(rabbitmq_vhost, port=proxy.port)
    made = RabbitBroker(url, QUEUES, watchdog=QUICK, delays=RETRY_DELAYS)
    yield made
    await made.close()


async def test_f13_a_connection_that_flaps_leaves_nothing_stuck(direct, proxied, proxy, caplog):
    caplog.set_level(logging.WARNING)
    received, sent = Recorder(), wake_ups(10)
    async with proxied.consume(QUEUES, received, concurrency=2):
        for number, message in enumerate(sent):
            await publish_all(direct, [message], QUEUES[number % 2])
            proxy.reset()
            await asyncio.sleep(0.5)
        await eventually(lambda: set(received.seen) == set(sent))
    ours = [record for record in caplog.records if record.name.startswith("waybill.")]
    assert len(ours) <= 2 * len(sent)


async def test_f13_a_message_whose_connection_broke_comes_again_and_its_work_goes_on(
    direct, proxied, proxy
):
    release = asyncio.Event()
    worked: list[str] = []

    async def work() -> None:
        worked.append("done")

    async def wait(_: WakeUp) -> None:
        await release.wait()

    received = Recorder(before=wait, work=work)
    sent = wake_ups(1)
    async with proxied.consume(["orders"], received, concurrency=2):
        await publish_all(direct, sent, "orders")
        await received.until(1)
        proxy.reset()
        assert await received.until(2) == 2 * sent
        # The first delivery's acknowledgement has nowhere to go, and must not go elsewhere.
        release.set()
        await eventually(lambda: worked == 2 * ["done"])
        more = wake_ups(3)
        await publish_all(direct, more, "orders")
        assert Counter(await received.until(5)) == Counter(2 * sent + more)


async def test_f12_a_link_that_went_silent_is_noticed_and_replaced(
    direct, proxied, proxy, rabbitmq_url, monkeypatch
):
    monkeypatch.setattr(queue_poller, "ANSWER_SECONDS", 1.0)
    received, (message,) = Recorder(), wake_ups(1)
    async with proxied.consume(QUEUES, received, concurrency=1):
        await eventually(lambda: consumer_count(rabbitmq_url, EARLIER.work_queue("users")))
        proxy.blackhole()
        await publish_all(direct, [message], "users")
        await eventually(lambda: proxy.accepted > 1)
        proxy.heal()
        assert await received.until(1) == [message]


async def test_f14_an_acknowledgement_timeout_costs_a_handler_its_channel_and_work_nothing(
    impatience, direct
):
    release, worked = asyncio.Event(), asyncio.Event()

    async def hang_once(_: WakeUp) -> None:
        if len(received.seen) == 1:
            await release.wait()

    async def long_work() -> None:
        await asyncio.sleep(PATIENCE_SECONDS + 3)
        worked.set()

    received, working = Recorder(before=hang_once), Recorder(work=long_work)
    (message,), other, more, last = (wake_ups(1) for _ in range(4))
    async with (
        direct.consume(["users"], working, concurrency=1),
        direct.consume(["orders"], received, concurrency=2),
    ):
        await publish_all(direct, other, "users")
        await publish_all(direct, [message], "orders")
        async with asyncio.timeout(40):
            assert await received.until(2) == 2 * [message]
            await worked.wait()
        await publish_all(direct, more, "orders")
        await received.until(3)
        # The hung handler returns at last; its channel is gone, and the new one is not hurt.
        release.set()
        await publish_all(direct, last, "orders")
        assert await received.until(4) == [message, message, *more, *last]
    assert working.seen == other


async def test_f15_a_consumer_of_a_deleted_queue_comes_back_to_a_new_one(direct, rabbitmq_url):
    received, sent, name = Recorder(), wake_ups(2), EARLIER.work_queue("orders")
    async with direct.consume(QUEUES, received, concurrency=1):
        await publish_all(direct, sent[:1], "orders")
        await received.until(1)
        async with bare_channel(rabbitmq_url) as channel:
            await channel.queue_delete(name)
        await eventually(lambda: consumer_count(rabbitmq_url, name))
        await publish_all(direct, sent[1:], "orders")
        assert await received.until(2) == sent


async def test_f15_a_queue_deleted_and_declared_at_once_is_consumed_again(
    direct, proxied, rabbitmq_url
):
    """The broker may keep the consumer then, without a word, and send it nothing."""
    received, sent, name = Recorder(), wake_ups(3), EARLIER.work_queue("orders")
    async with proxied.consume(QUEUES, received, concurrency=1):
        await eventually(lambda: consumer_count(rabbitmq_url, name))
        async with bare_channel(rabbitmq_url) as channel:
            await channel.queue_delete(name)
        await direct.declare_topology()
        await publish_all(direct, sent, "orders")
        await eventually(lambda: set(received.seen) == set(sent))


async def test_f15_the_watchdog_notices_a_consumer_that_is_gone(
    direct, proxied, rabbitmq_url, monkeypatch
):
    opened: list[queue_poller.QueuePoller] = []
    listen = queue_poller.QueuePoller._listen

    async def remember(self) -> None:
        await listen(self)
        opened.append(self)

    monkeypatch.setattr(queue_poller.QueuePoller, "_listen", remember)
    async with proxied.consume(["orders"], Recorder(), concurrency=1):
        await eventually(lambda: opened)
        (subscription,) = opened[0]._subscriptions
        # Behind the back of the poller, which goes on to believe that it has a consumer.
        await subscription.queue.cancel(subscription.tag)
        assert await consumer_count(rabbitmq_url, EARLIER.work_queue("orders")) == 0
        await eventually(lambda: consumer_count(rabbitmq_url, EARLIER.work_queue("orders")))


async def test_f15_the_watchdog_notices_a_consumer_that_is_sent_nothing(
    direct, proxied, rabbitmq_url, monkeypatch
):
    lost: list[object] = []
    arrive = queue_poller.QueuePoller._arrive

    async def lose_the_first(self, subscription, message) -> None:
        if lost:
            await arrive(self, subscription, message)
        else:
            lost.append(message)

    monkeypatch.setattr(queue_poller.QueuePoller, "_arrive", lose_the_first)
    received, sent = Recorder(), wake_ups(3)
    async with proxied.consume(QUEUES, received, concurrency=1):
        await eventually(lambda: consumer_count(rabbitmq_url, EARLIER.work_queue("orders")))
        await publish_all(direct, sent, "orders")
        # Sooner than the acknowledgement timeout of 30 minutes would close the channel.
        async with asyncio.timeout(20):
            assert set(await received.until(3)) == set(sent)
    assert lost


async def test_f26_fifty_copies_over_four_workers_are_each_handled_once(direct, rabbitmq_url):
    (message,) = wake_ups(1)
    claimed: set[WakeUp] = set()
    claims = 0

    async def claim(wake_up: WakeUp) -> None:
        nonlocal claims
        claims += wake_up not in claimed
        claimed.add(wake_up)

    received = Recorder(before=claim)
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(direct.consume(["orders"], received, concurrency=1))
        await publish_all(direct, 50 * [message], "orders")
        assert await received.until(50) == 50 * [message]
    assert claims == 1
    assert await ready_count(rabbitmq_url, EARLIER.work_queue("orders")) == 0
    assert await ready_count(rabbitmq_url, EARLIER.dead) == 0


async def test_f27_every_kind_of_poison_is_dead_lettered_once_and_the_worker_lives(
    direct, rabbitmq_url
):
    bodies = [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[" * 4096,
        b"x" * 1_000_000,
        b'{"v":%d,"task_id":"x","fence":1,"kind":"run"}' % (VERSION + 1),
        b'{"v":%d}' % VERSION,
    ]
    received, dead, (good,) = Recorder(), DeadLetterRecorder(), wake_ups(1)
    async with direct.consume(QUEUES, received, concurrency=1):
        await direct.declare_topology()
        for body in bodies:
            await publish_bytes(rabbitmq_url, body, "orders")
        await publish_all(direct, [good], "orders")
        assert await received.until(1) == [good]
    async with direct.consume_dead_letters(dead):
        letters = await dead.until(len(bodies))
    assert [body for body, _, _ in letters] == bodies
    assert {queue for _, queue, _ in letters} == {"orders"}
    assert [reason for _, _, reason in letters] == [
        *4 * ["bad_message: The message is not a wake-up."],
        "bad_message: The message has 1000000 bytes.",
        f"bad_message: The message has version {VERSION + 1}.",
        "bad_message: The message is not a wake-up.",
    ]
    assert await ready_count(rabbitmq_url, EARLIER.dead) == 0


async def test_f27_poison_is_dead_lettered_when_nothing_can_be_published(direct, proxied, proxy):
    """The reason is lost then, but the message is not."""
    await direct.declare_topology()
    received, dead = Recorder(), DeadLetterRecorder()
    await publish_all(direct, [poison()], "orders")
    async with proxied.consume(["orders"], received, concurrency=1):
        await proxied.close()
        async with direct.consume_dead_letters(dead):
            ((_, queue, reason),) = await dead.until(1)
    assert (queue, reason) == ("orders", "rejected")
