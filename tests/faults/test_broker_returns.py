"""What is requeued: what is refused dies at the limit, what had no room never does.

Since 4.3 a `nack` does not count towards the limit and a `reject` does; before, both do.
`make test-brokers` runs this on 3.10, 4.0 and 4.3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.amqp_probe import bare_channel, ready_count, take_one
from tests.support.eventually import eventually
from tests.support.wake_ups import RETRY_DELAYS, DeadLetterRecorder, publish_all, wake_ups
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.delivery import RabbitDelivery
from waybill.infra.broker.rabbitmq.topology import EARLIER

#: The delivery limit of work queues is 10: the eleventh return is one too many.
RETURNS = 11
Return = Callable[[RabbitDelivery], Awaitable[None]]


@pytest.fixture
async def broker(rabbitmq_url: str) -> AsyncIterator[RabbitBroker]:
    made = RabbitBroker(rabbitmq_url, ["orders"], delays=RETRY_DELAYS)
    yield made
    await made.close()


async def deliveries(broker: RabbitBroker, url: str, how: Return, most: int) -> int:
    """How often the one message is delivered while each delivery is requeued."""
    async with bare_channel(url) as channel:

        async def next_one() -> RabbitDelivery | str | None:
            if await ready_count(url, EARLIER.dead):
                return "dead"
            message = await take_one(channel, EARLIER.work_queue("orders"))
            return message and RabbitDelivery(message, broker._publisher)

        for count in range(most):
            found = await eventually(next_one)
            if found == "dead":
                return count
            await how(found)
    return most


async def test_f27_what_every_consumer_refuses_dies_at_the_limit(broker, rabbitmq_url):
    (message,) = wake_ups(1)
    await publish_all(broker, [message], "orders")

    count = await deliveries(broker, rabbitmq_url, RabbitDelivery.requeue, 3 * RETURNS)

    assert count == RETURNS
    dead = DeadLetterRecorder()
    async with broker.consume_dead_letters(dead):
        assert await dead.until(1) == [(message.encode(), "orders", "delivery_limit")]


async def test_what_arrived_without_room_for_it_never_dies(broker, rabbitmq_url):
    await publish_all(broker, wake_ups(1), "orders")

    count = await deliveries(broker, rabbitmq_url, RabbitDelivery.return_unused, 3 * RETURNS)

    assert count == 3 * RETURNS
    assert await ready_count(rabbitmq_url, EARLIER.dead) == 0
