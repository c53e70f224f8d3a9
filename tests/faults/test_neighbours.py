"""F108: two installations on one vhost, and what an earlier version left in it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from tests.support.amqp_probe import names_of, publish_bytes, ready_count
from tests.support.eventually import eventually, wait_for
from tests.support.fault_bench import open_bench
from tests.support.processes import run
from tests.support.wake_ups import DeadLetterRecorder, Recorder, poison, publish_all, wake_ups
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.rabbitmq.topology import EARLIER

DELAY = timedelta(seconds=0.5)
ANN, BOB = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


@pytest.fixture
async def install(rabbitmq_url):
    """Makes brokers on one vhost, for installations of these ids."""
    made: list[RabbitBroker] = []

    def of(installation: str) -> RabbitBroker:
        made.append(
            RabbitBroker(rabbitmq_url, ["orders"], delays=[DELAY], installation=installation)
        )
        return made[-1]

    yield of
    for broker in made:
        await broker.close()


async def nothing_known(_tasks):
    return set()


async def test_f108_wake_ups_retries_and_dead_letters_of_two_installations_stay_apart(install):
    brokers = {name: install(name) for name in (ANN, BOB)}
    received = {name: Recorder() for name in brokers}
    dead = {name: DeadLetterRecorder() for name in brokers}
    prompt, late = ({name: wake_ups(3) for name in brokers} for _ in range(2))
    bad = {name: poison() for name in brokers}
    for name, broker in brokers.items():
        await publish_all(broker, [*prompt[name], bad[name]], "orders")
        for number, message in enumerate(late[name]):
            await broker.publish(message, queue="orders", message_id=f"{number}", delay=DELAY)
    async with (
        brokers[ANN].consume(["orders"], received[ANN], concurrency=2),
        brokers[BOB].consume(["orders"], received[BOB], concurrency=2),
        brokers[ANN].consume_dead_letters(dead[ANN]),
        brokers[BOB].consume_dead_letters(dead[BOB]),
    ):
        for name in brokers:
            assert {*await received[name].until(6)} == {*prompt[name], *late[name]}
            assert [body for body, _, _ in await dead[name].until(1)] == [bad[name].encode()]


async def test_f108_installations_learn_of_each_other_and_forget_none(install):
    ann, bob = install(ANN), install(BOB)
    assert await ann.announce() == []
    assert await bob.announce() == [ANN]
    # Again and again, far more often than a message may be delivered elsewhere.
    for _ in range(15):
        assert await ann.announce() == [BOB]
    assert (await bob.check()).neighbours == [ANN]
    assert (await ann.check()).neighbours == [BOB]


async def test_f108_what_an_earlier_version_left_is_moved_and_what_is_of_others_stays(
    install, rabbitmq_url
):
    earlier, ann = install(""), install(ANN)
    ours, foreign = wake_ups(3), wake_ups(3)
    (late,) = wake_ups(1)
    await publish_all(earlier, [ours[0], foreign[0], ours[1], foreign[1]], "orders")
    await earlier.publish(late, queue="orders", message_id="late", delay=DELAY)
    await earlier.probe_queues()
    await publish_bytes(rabbitmq_url, b"no wake-up", "orders")
    for message in (ours[2], foreign[2]):
        await earlier.publish_dead_letter(
            message, queue="orders", message_id=str(message.task_id), reason="failed"
        )
    known = {message.task_id for message in [*ours, late]}

    async def of_ours(tasks):
        return known & set(tasks)

    received, dead = Recorder(), DeadLetterRecorder()
    async with (
        ann.consume(["orders"], received, concurrency=1),
        ann.consume_dead_letters(dead),
    ):
        # What is foreign goes back each time, and becomes no dead letter.
        for _ in range(15):
            await ann.take_over_earlier(of_ours)
        await eventually(lambda: ready_is(rabbitmq_url, EARLIER.retry(DELAY), 0))
        await ann.take_over_earlier(of_ours)
        assert {*await received.until(3)} == {ours[0], ours[1], late}
        assert {*await dead.until(2)} == {
            (ours[2].encode(), "orders", "failed"),
            (b"no wake-up", "orders", "bad_message: The message is not a wake-up."),
        }
    await eventually(lambda: ready_is(rabbitmq_url, EARLIER.work_queue("orders"), 2))
    report = await ann.check()
    assert report.earlier is not None
    assert (report.earlier.messages, report.earlier.consumers) == (3, 0)


async def ready_is(url: str, name: str, count: int) -> bool:
    return await ready_count(url, name) == count


async def test_f108_without_queues_of_an_earlier_version_there_is_nothing_to_do(install):
    ann = install(ANN)
    assert await ann.take_over_earlier(nothing_known) == 0
    assert (await ann.check()).earlier is None


def test_f108_two_installations_on_one_vhost_each_do_their_own_work_and_doctor_says_so(
    bench, clean, tmp_path, postgres_server, s3_config
):
    with (
        postgres_server.database() as database,
        open_bench(tmp_path, database, bench.env["WAYBILL_AMQP_URL"], s3_config) as other,
    ):
        both = (bench, other)
        left = leave_a_wake_up_of_an_earlier_version(bench)
        # So long a lease that no sweeper makes up for a wake-up which the other has eaten.
        patient = {"WAYBILL_LEASE_SECONDS": "600"}
        with bench.api(), other.api(), bench.worker(**patient), other.worker(**patient):
            asked = [
                (one, [one.submit("numbers", tag=f"{number}") for number in range(6)])
                for one in both
            ]
            for one, tasks in asked:
                ended = one.ended(*tasks)
                assert [(row["status"], row["attempt"]) for row in ended] == [("SUCCESS", 1)] * 6
                assert one.dead_letters() == []
                one.audit()
            wait_for(lambda: not asyncio.run(ready_count(*left)))
        for one, neighbour in (both, both[::-1]):
            checked = json.loads(run(one.env, "doctor", "--json").stdout)
            (line,) = (item for item in checked if item["check"] == "broker")
            assert line["ok"], line
            name = names_of(neighbour.env["WAYBILL_DATABASE_URL"]).installation
            assert f"shared with the installation {name}" in line["detail"]


def leave_a_wake_up_of_an_earlier_version(bench) -> tuple[str, str]:
    """The vhost's URL, and the queue in which nobody of this version looks."""
    url = bench.env["WAYBILL_AMQP_URL"]

    async def leave() -> None:
        broker = RabbitBroker(url, ["quick"], delays=[DELAY])
        await broker.probe_queues()
        await broker.close()

    asyncio.run(leave())
    return url, EARLIER.work_queue("quick")
