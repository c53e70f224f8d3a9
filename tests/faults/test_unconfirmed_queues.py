"""F96: a queue whose members are gone, as the check of readiness sees it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.support.amqp_probe import ready_count
from tests.support.eventually import eventually
from tests.support.wake_ups import RETRY_DELAYS, DeadLetterRecorder, publish_all, wake_ups
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.queue_watch import QueueUnconfirmed
from waybill.infra.broker.rabbitmq.topology import EARLIER

SECONDS = 20.0
ORDERS = EARLIER.work_queue("orders")
OTHERS = (EARLIER.dead, EARLIER.retry(RETRY_DELAYS[-1]))


@pytest.fixture
async def watched(rabbitmq_url):
    """A broker that probes its queues again at once."""
    broker = RabbitBroker(
        rabbitmq_url,
        ["orders", "users"],
        delays=RETRY_DELAYS,
        publish_timeout=timedelta(seconds=1),
        probe_pause=timedelta(seconds=0.1),
    )
    await broker.declare_topology()
    watching = asyncio.create_task(broker.watch())
    yield broker
    watching.cancel()
    await asyncio.wait([watching])
    await broker.close()


@pytest.fixture
def member(rabbitmq_server, rabbitmq_vhost):
    """Stops and starts every member of a queue."""
    stopped = []

    def tell(what: str, queue: str = ORDERS) -> None:
        stopped.append(queue)
        rabbitmq_server.rabbitmqctl(
            "eval",
            f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{rabbitmq_vhost}">>, queue,'
            f' <<"{queue}">>)), {{Name, _}} = amqqueue:get_pid(Q),'
            # 4.3 has an id for each node.
            " Found = maps:get(nodes, amqqueue:get_type_state(Q)),"
            " Nodes = if is_map(Found) -> maps:keys(Found); true -> Found end,"
            f" [ra:{what}_server(quorum_queues, {{Name, Node}}) || Node <- Nodes].",
        )

    yield tell
    tell("restart", stopped[-1])


def says(broker: RabbitBroker) -> str:
    try:
        broker.check_access()
    except BrokerUnavailable as error:
        return error.message
    return ""


async def test_f96_a_queue_that_confirms_nothing_is_named_until_it_does_again(watched, member):
    watched.check_access()
    await asyncio.to_thread(member, "stop")
    with pytest.raises(QueueUnconfirmed):
        await watched.probe_queues()
    await eventually(lambda: ORDERS in says(watched), within_seconds=SECONDS)
    assert says(watched) == (
        f"The queue {ORDERS} confirms no message:"
        " it is full, or most of the queue's members are away."
    )
    # The others take messages, over the connection that was there before.
    await publish_all(watched, wake_ups(1), "users")
    await asyncio.to_thread(member, "restart")
    await eventually(lambda: not says(watched), within_seconds=SECONDS)


@pytest.mark.parametrize("queue", OTHERS)
async def test_f96_queues_of_retries_and_dead_letters_are_asked_too(watched, member, queue):
    await asyncio.to_thread(member, "stop", queue)
    with pytest.raises(QueueUnconfirmed, match=queue):
        await watched.probe_queues()
    await eventually(lambda: f"The queue {queue} confirms no message" in says(watched))


async def test_f96_a_probe_becomes_no_dead_letter_and_does_not_stay(watched, rabbitmq_url):
    await watched.probe_queues()
    await eventually(lambda: waiting_is(rabbitmq_url, 0, EARLIER.dead))
    recorder = DeadLetterRecorder()
    async with watched.consume_dead_letters(recorder):
        await watched.probe_queues()
        (wake_up,) = wake_ups(1)
        await watched.publish_dead_letter(wake_up, queue="orders", message_id="1", reason="failed")
        assert await recorder.until(1) == [(wake_up.encode(), "orders", "failed")]


async def test_f96_queues_are_probed_only_while_somebody_asks(watched, rabbitmq_url):
    assert await ready_count(rabbitmq_url, ORDERS) == 0
    for _ in range(50):
        watched.check_access()
    await eventually(lambda: waiting_is(rabbitmq_url, 1))
    # Had it gone on without being asked, there would be more.
    watched.check_access()
    await eventually(lambda: waiting_is(rabbitmq_url, 2))


async def waiting_is(url: str, count: int, queue: str = ORDERS) -> bool:
    return await ready_count(url, queue) == count


async def test_f96_a_broker_that_is_away_is_no_queue_without_members(
    rabbitmq_server, rabbitmq_vhost, proxy
):
    url = rabbitmq_server.url(rabbitmq_vhost, port=proxy.port)
    broker = RabbitBroker(url, ["orders"], delays=RETRY_DELAYS, probe_pause=timedelta(seconds=0.05))
    await broker.declare_topology()
    watching = asyncio.create_task(broker.watch())
    broker.check_access()
    proxy.refuse()
    for _ in range(3):
        with pytest.raises(BrokerUnavailable) as away:
            await broker.probe_queues()
        assert not isinstance(away.value, QueueUnconfirmed)
        assert says(broker) == ""
    watching.cancel()
    await asyncio.wait([watching])
    await broker.close()
