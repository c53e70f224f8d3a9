"""F95, F96: a RabbitMQ cluster of three nodes, of which one is killed, frozen, or joins late."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.support.eventually import eventually, wait_for
from tests.support.fault_bench import open_bench
from tests.support.processes import run
from tests.support.servers.rabbitmq_cluster import RabbitCluster
from tests.support.wake_ups import RETRY_DELAYS, Recorder, publish_all, wake_ups
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.topology import EARLIER

#: With the start of three nodes, one after the other.
pytestmark = pytest.mark.timeout(1_500)

#: Elections on a busy machine take their time.
SECONDS = 300.0


@pytest.fixture
def vhost(rabbitmq_cluster):
    with rabbitmq_cluster.nodes[0].vhost() as name:
        yield name
        rabbitmq_cluster.recover()


@pytest.fixture
async def broker(rabbitmq_cluster, vhost):
    made = RabbitBroker(rabbitmq_cluster.url(vhost), ["orders"], delays=RETRY_DELAYS)
    await made.declare_topology()
    yield made
    await made.close()


async def publish_until_confirmed(broker, messages):
    """Publish each message until it is confirmed, as the relay does."""
    for message in messages:

        async def publish(message=message) -> bool:
            await publish_all(broker, [message], "orders")
            return True

        await eventually(publish, within_seconds=SECONDS)


@pytest.mark.parametrize("how", ["kill", "sigstop"])
async def test_f95_the_loss_of_the_node_that_leads_and_is_asked_first_loses_no_message(
    rabbitmq_cluster, vhost, broker, how
):
    # Declared through the first address, the queue is led by its node.
    first = rabbitmq_cluster.nodes[0]
    assert rabbitmq_cluster.leader(vhost, EARLIER.work_queue("orders")) is first
    before, after, received = wake_ups(5), wake_ups(5), Recorder()
    async with broker.consume(["orders"], received, concurrency=2):
        # The cluster may just have come back from the test before.
        await publish_until_confirmed(broker, before)
        await eventually(lambda: {*before} <= {*received.seen}, within_seconds=SECONDS)
        await asyncio.to_thread(getattr(first, how))
        await publish_until_confirmed(broker, after)
        await eventually(lambda: {*before, *after} <= {*received.seen}, within_seconds=SECONDS)


async def test_f95_a_process_that_starts_while_the_first_address_is_frozen_is_soon_at_work(
    rabbitmq_cluster, vhost, broker
):
    await asyncio.to_thread(rabbitmq_cluster.nodes[0].sigstop)
    late = RabbitBroker(
        rabbitmq_cluster.url(vhost),
        ["orders"],
        delays=RETRY_DELAYS,
        publish_timeout=timedelta(seconds=5),
    )
    received, messages = Recorder(), wake_ups(3)
    async with late.consume(["orders"], received, concurrency=1):
        await publish_until_confirmed(late, messages)
        await eventually(lambda: {*messages} <= {*received.seen}, within_seconds=SECONDS)
    await late.close()


async def test_f96_a_queue_whose_members_are_gone_is_noticed(tmp_path):
    cluster = RabbitCluster(tmp_path)
    try:
        await asyncio.to_thread(cluster.start_first)
        # Declared before the others join, so its only member is the first node.
        await declare(cluster.nodes[0].url())
        await asyncio.to_thread(cluster.start_others)
        assert len(cluster.queues("/")[EARLIER.work_queue("orders")]["members"]) == 1
        await asyncio.to_thread(cluster.nodes[0].kill)
        broker = RabbitBroker(
            cluster.nodes[1].url(), ["orders"], delays=RETRY_DELAYS, declare=False
        )
        with pytest.raises(
            BrokerUnavailable, match=r"most of the queue's members are away|in time"
        ):
            await broker.probe_queues()
        await broker.close()
    finally:
        cluster.close()


def test_f96_readiness_names_a_queue_whose_members_are_gone(tmp_path, postgres_server, s3_config):
    cluster = RabbitCluster(tmp_path)
    try:
        cluster.start_first()
        with (
            postgres_server.database() as database,
            open_bench(tmp_path, database, cluster.nodes[0].url(), s3_config) as bench,
        ):
            assert run(bench.env, "topology").returncode == 0
            cluster.start_others()
            cluster.nodes[0].kill()
            with bench.api(WAYBILL_AMQP_URL=cluster.nodes[1].url()):
                wait_for(lambda: bench.client.get("/readyz").status_code == 503, SECONDS)
                assert (
                    "confirms no message"
                    in bench.client.get("/readyz").json()["failures"]["broker"]
                )
                bench.submit("numbers")
    finally:
        cluster.close()


async def declare(url: str) -> None:
    broker = RabbitBroker(url, ["orders"], delays=RETRY_DELAYS)
    await broker.declare_topology()
    await broker.close()
