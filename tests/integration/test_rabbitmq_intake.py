"""At capacity RabbitMQ sees no consumer of ours, and no message in our hands."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.amqp_probe import consumer_count, ready_count
from tests.support.eventually import eventually
from tests.support.wake_ups import RETRY_DELAYS, Recorder, publish_all, wake_ups
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.topology import EARLIER

ORDERS, USERS = EARLIER.work_queue("orders"), EARLIER.work_queue("users")


@pytest.fixture
async def broker(rabbitmq_url):
    made = RabbitBroker(rabbitmq_url, ["orders", "users"], delays=RETRY_DELAYS)
    yield made
    await made.close()


async def test_consumers_are_cancelled_at_capacity_and_come_back_with_a_free_slot(
    broker, rabbitmq_url
):
    async def consumers() -> int:
        return await consumer_count(rabbitmq_url, ORDERS) + await consumer_count(
            rabbitmq_url, USERS
        )

    async def none() -> bool:
        return await consumers() == 0

    async def both() -> bool:
        return await consumers() == 2

    finish = asyncio.Event()
    received = Recorder(work=finish.wait)
    async with broker.consume(["orders", "users"], received, concurrency=1):
        await eventually(both)
        await publish_all(broker, wake_ups(1), "orders")
        await received.until(1)
        await eventually(none)
        await publish_all(broker, wake_ups(3), "orders")
        assert await ready_count(rabbitmq_url, ORDERS) == 3
        finish.set()
        await received.until(4)
        await eventually(both)


async def test_of_two_messages_that_arrive_at_once_one_is_returned_for_others(broker, rabbitmq_url):
    async def one_is_ready() -> bool:
        return await ready_count(rabbitmq_url, ORDERS) + await ready_count(rabbitmq_url, USERS) == 1

    steps = asyncio.Semaphore(0)
    received = Recorder(work=steps.acquire)
    rounds = 10
    async with broker.consume(["orders", "users"], received, concurrency=1):
        for count in range(rounds):
            await eventually(lambda: consumer_count(rabbitmq_url, USERS))
            await asyncio.gather(
                publish_all(broker, wake_ups(1), "orders"),
                publish_all(broker, wake_ups(1), "users"),
            )
            await received.until(2 * count + 1)
            await eventually(one_is_ready)
            steps.release()
            await received.until(2 * count + 2)
            steps.release()
    assert len(received.seen) == 2 * rounds
