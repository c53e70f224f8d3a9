"""Faults while publishing: whatever is not confirmed is an error, and the next try heals.

The numbers are those of the fault matrix in RELIABILITY.md.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.support.amqp_probe import bare_channel
from tests.support.eventually import eventually
from tests.support.guarded import (
    missing_confirm_is_an_error,
    publish,
    received_by,
    unroutable_is_an_error,
)
from tests.support.wake_ups import RETRY_DELAYS, Recorder, wake_ups
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq import connection as amqp
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.topology import EARLIER

#: Long enough for an answer from a healthy broker, short enough to wait for several times.
TIMEOUT = timedelta(seconds=1.5)


async def test_f3_a_broker_that_is_gone_is_an_error_and_then_publishing_goes_on(broker, proxy):
    (message,) = wake_ups(1)
    proxy.refuse()
    with pytest.raises(BrokerUnavailable):
        await broker.publish(message, queue="orders", message_id="1")
    with pytest.raises(BrokerUnavailable):
        await broker.check()
    proxy.heal()
    assert await publish(broker, message)
    assert await received_by(broker, 1) == [message]


async def test_f3_a_batch_makes_one_attempt_to_connect_and_shares_its_failure(
    rabbitmq_server, proxy, monkeypatch
):
    monkeypatch.setattr(amqp, "ANSWER_SECONDS", 1.0)
    broker = RabbitBroker(rabbitmq_server.url(port=proxy.port), ["orders"], delays=RETRY_DELAYS)
    proxy.blackhole()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(publish(broker, m) for m in wake_ups(100))) == 100 * [False]
    assert proxy.accepted == 1
    await broker.close()


async def test_f5_a_confirm_that_never_comes_is_an_error_after_the_timeout(broker, proxy):
    await missing_confirm_is_an_error(broker, proxy)


async def test_f12_a_publish_that_a_failing_heartbeat_ends_is_an_error(
    rabbitmq_server, rabbitmq_vhost, proxy
):
    """The library ends it with `CancelledError`, which must not look like our own end."""
    url = rabbitmq_server.url(rabbitmq_vhost, port=proxy.port) + "?heartbeat=1"
    broker = RabbitBroker(
        url, ["orders"], publish_timeout=timedelta(seconds=60), delays=RETRY_DELAYS
    )
    assert await publish(broker, wake_ups(1)[0])
    proxy.blackhole()
    async with asyncio.timeout(30):
        with pytest.raises(BrokerUnavailable, match="cannot be reached"):
            await broker.publish(wake_ups(1)[0], queue="orders", message_id="1")
    proxy.heal()
    assert await publish(broker, wake_ups(1)[0])
    await broker.close()


async def test_f6_an_unroutable_message_is_an_error(broker, rabbitmq_url):
    await unroutable_is_an_error(broker, rabbitmq_url)


async def test_f6_a_queue_that_was_never_declared_is_an_error_each_time(broker):
    for _ in range(3):
        with pytest.raises(BrokerUnavailable, match="no queue takes it"):
            await broker.publish(wake_ups(1)[0], queue="typo", message_id="1")


async def test_f7_a_missing_exchange_is_an_error_and_is_there_at_the_next_try(broker, rabbitmq_url):
    (message,) = wake_ups(1)
    async with bare_channel(rabbitmq_url) as channel:
        await channel.exchange_delete(EARLIER.task_exchange)
    with pytest.raises(BrokerUnavailable, match="missing"):
        await broker.publish(message, queue="orders", message_id="1")
    assert await publish(broker, message)
    assert await received_by(broker, 1) == [message]


async def test_f8_a_memory_alarm_is_an_error_and_the_backlog_arrives_after_it(
    broker, rabbitmq_server
):
    sent = wake_ups(5)
    assert await publish(broker, sent[0])
    rabbitmq_server.rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1")
    try:
        assert await asyncio.gather(*(publish(broker, m) for m in sent[1:])) == 4 * [False]
        with pytest.raises(BrokerUnavailable):
            await broker.publish(sent[1], queue="orders", message_id="1")
    finally:
        rabbitmq_server.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
    for message in sent[1:]:
        await eventually(lambda message=message: publish(broker, message))
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        # Some come twice: what "failed" during the alarm was accepted after it.
        await eventually(lambda: set(received.seen) == set(sent))


async def test_f9_a_full_queue_is_an_error_until_there_is_room(
    broker, proxy, rabbitmq_server, rabbitmq_vhost
):
    rabbitmq_server.rabbitmqctl(
        *("set_policy", "--vhost", rabbitmq_vhost, "--apply-to", "queues"),
        *("small", r"^exp\.v1\.work", '{"max-length": 1}'),
    )
    connections = proxy.accepted
    # A quorum queue lets a few more in before it counts.
    confirmed = [await publish(broker, message) for message in wake_ups(20)]
    assert confirmed == sorted(confirmed, reverse=True)
    with pytest.raises(BrokerUnavailable, match="queue is full"):
        await broker.publish(wake_ups(1)[0], queue="orders", message_id="one too many")

    async def replaced() -> bool:
        with pytest.raises(BrokerUnavailable, match="queue is full"):
            await broker.publish(wake_ups(1)[0], queue="orders", message_id="again")
        return proxy.accepted > connections

    # The channel may be at fault (F95): after a while another one is tried, which refuses as well.
    await eventually(replaced)
    await received_by(broker, sum(confirmed))
    assert await eventually(lambda: publish(broker, wake_ups(1)[0]))
