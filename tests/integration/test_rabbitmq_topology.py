"""The exchanges and queues that Waybill has in RabbitMQ, as RabbitMQ sees them."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import aio_pika
import pytest

from tests.support.amqp_probe import bare_channel, ready_count, take_one
from tests.support.eventually import eventually
from tests.support.wake_ups import DeadLetterRecorder, wake_ups
from waybill.infra.broker.port import BrokerUnavailable, WakeUp
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.topology import EARLIER

WORK = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 10,
    "x-dead-letter-exchange": EARLIER.dead,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-max-length": 100_000,
}
QUEUES = {
    "exp.v1.work.orders": WORK,
    "exp.v1.work.users": WORK,
    "exp.v1.retry.500ms": WORK
    | {"x-dead-letter-exchange": EARLIER.task_exchange, "x-message-ttl": 500},
    "exp.v1.retry.2m": WORK
    | {"x-dead-letter-exchange": EARLIER.task_exchange, "x-message-ttl": 120_000},
    "exp.v1.dead": {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1000,
        "x-overflow": "reject-publish",
        "x-max-length": 100_000,
    },
}
EXCHANGES = {
    "exp.v1.task": "direct",
    "exp.v1.dead": "topic",
    "exp.v1.retry.500ms": "fanout",
    "exp.v1.retry.2m": "fanout",
}


def broker_on(url: str, **options: object) -> RabbitBroker:
    delays = [timedelta(milliseconds=500), timedelta(minutes=2)]
    return RabbitBroker(url, ["orders", "users"], delays=delays, **options)


@pytest.fixture
async def broker(rabbitmq_url):
    made = broker_on(rabbitmq_url)
    yield made
    await made.close()


async def test_the_broker_holds_exactly_the_documented_exchanges_and_queues(
    broker, rabbitmq_server, rabbitmq_vhost
):
    await broker.declare_topology()

    def listed(what: str, *columns: str) -> list[dict]:
        text = rabbitmq_server.rabbitmqctl(
            f"list_{what}", "--vhost", rabbitmq_vhost, "--formatter", "json", "name", *columns
        )
        return json.loads(text)

    queues = listed("queues", "durable", "arguments")
    arguments = {
        queue["name"]: {name: value for name, _type, value in queue["arguments"]}
        for queue in queues
    }
    assert arguments == QUEUES
    assert all(queue["durable"] for queue in queues)
    exchanges = listed("exchanges", "type", "durable")
    ours = [exchange for exchange in exchanges if exchange["name"].startswith("exp.")]
    assert {exchange["name"]: exchange["type"] for exchange in ours} == EXCHANGES
    assert all(exchange["durable"] for exchange in ours)


async def test_declaring_again_changes_nothing(broker, rabbitmq_url):
    (message,) = wake_ups(1)
    await broker.publish(message, queue="orders", message_id="kept")
    await broker.declare_topology()
    assert await ready_count(rabbitmq_url, EARLIER.work_queue("orders")) == 1


async def test_a_queue_with_other_arguments_is_named_as_the_problem(broker, rabbitmq_url):
    async with bare_channel(rabbitmq_url) as channel:
        await channel.declare_queue(EARLIER.dead, durable=True)
    with pytest.raises(BrokerUnavailable, match="with other arguments"):
        await broker.declare_topology()


async def test_a_message_carries_what_an_operator_needs_and_nothing_else(broker, rabbitmq_url):
    message = WakeUp(uuid.uuid4(), 7)
    await broker.publish(message, queue="orders", message_id="outbox-42")
    async with bare_channel(rabbitmq_url) as channel:
        found = await take_one(channel, EARLIER.work_queue("orders"))
        assert json.loads(found.body) == {
            "v": 1,
            "task_id": str(message.task_id),
            "fence": 7,
            "kind": "run",
        }
        assert found.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert (found.message_id, found.type, found.app_id) == ("outbox-42", "run", "waybill")
        assert found.correlation_id == str(message.task_id)
        assert found.content_type == "application/json"
        assert found.timestamp is not None
        assert set(found.headers) <= {"x-delivery-count"}


async def test_a_message_delivered_too_often_is_a_dead_letter_with_the_brokers_reason(
    broker, rabbitmq_url
):
    (message,) = wake_ups(1)
    # By way of a retry queue, whose expiry must not be taken for the reason.
    await broker.publish(message, queue="users", message_id="unlucky", delay=timedelta(seconds=0.1))
    deliveries = 0
    async with bare_channel(rabbitmq_url) as channel:
        while deliveries < 11:
            found = await eventually(lambda: take_one(channel, EARLIER.work_queue("users")))
            deliveries += 1
            await found.reject(requeue=True)
    dead = DeadLetterRecorder()
    async with broker.consume_dead_letters(dead):
        assert await dead.until(1) == [(message.encode(), "users", "delivery_limit")]


async def test_a_worker_without_configure_rights_publishes_and_consumes(
    broker, rabbitmq_server, rabbitmq_vhost
):
    await broker.declare_topology()
    rabbitmq_server.rabbitmqctl("add_user", rabbitmq_vhost, "modest")
    rabbitmq_server.rabbitmqctl(
        "set_permissions", "--vhost", rabbitmq_vhost, rabbitmq_vhost, "", ".*", ".*"
    )
    url = f"amqp://{rabbitmq_vhost}:modest@127.0.0.1:{rabbitmq_server.port}/{rabbitmq_vhost}"
    eager, modest = broker_on(url), broker_on(url, declare=False)
    try:
        await eager.publish(wake_ups(1)[0], queue="users", message_id="1")
        received = DeadLetterRecorder()
        await modest.publish(WakeUp(uuid.uuid4(), "poison"), queue="orders", message_id="2")

        async def unused(_: WakeUp) -> None:
            raise AssertionError

        async with (
            modest.consume(["orders"], unused, concurrency=1),
            modest.consume_dead_letters(received),
        ):
            await received.until(1)
    finally:
        await eager.close()
        await modest.close()
        rabbitmq_server.rabbitmqctl("delete_user", rabbitmq_vhost)
