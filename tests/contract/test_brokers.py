"""What every broker promises; the one inside the process and RabbitMQ must not differ."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.wake_ups import (
    DeadLetterRecorder,
    Recorder,
    abandon,
    poison,
    publish_all,
    wake_ups,
)
from waybill.infra.broker.memory import MemoryBroker
from waybill.infra.broker.port import Broker, BrokerUnavailable, WakeUp
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.broker.shared_limit import SharedLimit

DELAY = timedelta(seconds=0.5)
DEAD_LETTER_PAUSE = timedelta(seconds=0.05)


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.server)])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """An empty broker with the queues `orders` and `users`."""
    made: Broker
    if request.param == "memory":
        made = MemoryBroker(dead_letter_pause=DEAD_LETTER_PAUSE)
    else:
        url = request.getfixturevalue("rabbitmq_url")
        made = RabbitBroker(
            url,
            ["orders", "users"],
            delays=[DELAY, 4 * DELAY],
            dead_letter_pause=DEAD_LETTER_PAUSE,
        )
    yield made
    await made.close()


async def test_messages_published_before_any_consumer_arrive_in_order(broker):
    sent = wake_ups(20)
    await publish_all(broker, sent, "orders")
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        assert await received.until(20) == sent


async def test_a_delayed_message_arrives_late_and_in_its_own_queue(broker):
    loop = asyncio.get_running_loop()
    late, prompt = wake_ups(2)
    users, orders = Recorder(), Recorder()
    began = loop.time()
    await broker.publish(late, queue="users", message_id="late", delay=DELAY)
    await publish_all(broker, [prompt], "users")
    async with (
        broker.consume(["users"], users, concurrency=1),
        broker.consume(["orders"], orders, concurrency=1),
    ):
        assert await users.until(2) == [prompt, late]
        assert loop.time() - began >= DELAY.total_seconds()
    assert orders.seen == []


async def test_fifty_copies_of_one_message_are_all_delivered(broker):
    (message,) = wake_ups(1)
    await asyncio.gather(
        *(broker.publish(message, queue="orders", message_id="same") for _ in range(50))
    )
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=4):
        assert Counter(await received.until(50)) == {message: 50}


async def test_work_does_not_hold_up_the_next_message(broker):
    finish = asyncio.Event()
    received = Recorder(work=finish.wait)
    await publish_all(broker, wake_ups(2), "orders")
    async with broker.consume(["orders"], received, concurrency=2):
        assert len(await received.until(2)) == 2
        finish.set()


async def test_at_capacity_nothing_is_taken_and_others_get_the_rest(broker):
    finish = asyncio.Event()
    full, other = Recorder(work=finish.wait), Recorder()
    sent = wake_ups(6)
    await publish_all(broker, sent[:3], "orders")
    await publish_all(broker, sent[3:], "users")
    async with broker.consume(["orders", "users"], full, concurrency=2):
        taken = await full.until(2)
        async with broker.consume(["orders", "users"], other, concurrency=1):
            rest = await other.until(4)
        assert full.seen == taken
        assert Counter(taken + rest) == Counter(sent)
        finish.set()


async def test_a_free_slot_takes_the_next_message(broker):
    steps = asyncio.Semaphore(0)
    received = Recorder(work=steps.acquire)
    await publish_all(broker, wake_ups(3), "orders")
    async with broker.consume(["orders"], received, concurrency=1):
        for count in (1, 2, 3):
            assert len(await received.until(count)) == count
            steps.release()


async def test_one_slot_serves_messages_that_arrive_in_two_queues_at_once(broker):
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    received, dead = Recorder(work=work), DeadLetterRecorder()
    orders, users = wake_ups(20), wake_ups(20)
    async with (
        broker.consume_dead_letters(dead),
        broker.consume(["orders", "users"], received, concurrency=1),
    ):
        await asyncio.gather(
            publish_all(broker, orders, "orders"), publish_all(broker, users, "users")
        )
        assert Counter(await received.until(40)) == Counter(orders + users)
    assert most == 1
    assert dead.seen == []


async def test_a_long_queue_does_not_hold_up_a_short_one(broker):
    many, (one,) = wake_ups(20), wake_ups(1)
    await publish_all(broker, many, "orders")
    await publish_all(broker, [one], "users")
    received = Recorder()
    async with broker.consume(["orders", "users"], received, concurrency=1):
        assert one in (await received.until(21))[:3]


async def test_a_handler_that_hangs_does_not_hold_up_another_queue(broker):
    stuck, (other,) = wake_ups(1), wake_ups(1)
    release = asyncio.Event()

    async def hang(wake_up: WakeUp) -> None:
        if wake_up in stuck:
            await release.wait()

    received = Recorder(before=hang)
    async with broker.consume(["orders", "users"], received, concurrency=2):
        await publish_all(broker, stuck, "orders")
        await received.until(1)
        await publish_all(broker, [other], "users")
        assert other in await received.until(2)
        release.set()


async def test_leaving_waits_for_work_and_takes_no_more(broker):
    first, second = wake_ups(2)
    finished = False

    async def work() -> None:
        nonlocal finished
        await publish_all(broker, [second], "orders")
        finished = True

    received = Recorder(work=work)
    async with broker.consume(["orders"], received, concurrency=1):
        await publish_all(broker, [first], "orders")
        await received.until(1)
    assert finished
    assert received.seen == [first]
    later = Recorder()
    async with broker.consume(["orders"], later, concurrency=1):
        assert await later.until(1) == [second]


async def test_a_message_whose_handler_was_abandoned_is_delivered_again(broker):
    (message,) = wake_ups(1)
    await publish_all(broker, [message], "orders")
    handling = asyncio.Event()

    async def hang(_: WakeUp) -> None:
        handling.set()
        await asyncio.Event().wait()

    await abandon(broker, Recorder(before=hang), handling)
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        assert await received.until(1) == [message]


async def test_a_message_whose_work_was_abandoned_is_not_delivered_again(broker):
    first, second = wake_ups(2)
    await publish_all(broker, [first], "orders")
    working = asyncio.Event()

    async def hang() -> None:
        working.set()
        await asyncio.Event().wait()

    await abandon(broker, Recorder(work=hang), working)
    await publish_all(broker, [second], "orders")
    received = Recorder()
    async with broker.consume(["orders"], received, concurrency=1):
        assert await received.until(1) == [second]


async def test_a_message_nobody_can_read_becomes_one_dead_letter(broker):
    bad, other, (good,) = poison(), poison(), wake_ups(1)
    reason = "bad_message: The message is not a wake-up."
    received, dead = Recorder(), DeadLetterRecorder()
    await publish_all(broker, [bad, good], "orders")
    async with broker.consume(["orders"], received, concurrency=1):
        assert await received.until(1) == [good]
    async with broker.consume_dead_letters(dead):
        assert await dead.until(1) == [(bad.encode(), "orders", reason)]
    await publish_all(broker, [other], "users")
    async with (
        broker.consume(["users"], received, concurrency=1),
        broker.consume_dead_letters(dead),
    ):
        assert (await dead.until(2))[1:] == [(other.encode(), "users", reason)]
    assert received.seen == [good]


async def test_a_dead_letter_can_be_published_with_its_reason(broker):
    (message,) = wake_ups(1)
    dead = DeadLetterRecorder()
    await broker.publish_dead_letter(message, queue="orders", message_id="d1", reason="why: so")
    async with broker.consume_dead_letters(dead):
        assert await dead.until(1) == [(message.encode(), "orders", "why: so")]


async def test_a_handler_error_becomes_a_dead_letter_that_tells_no_secret(broker):
    async def fail(_: WakeUp) -> None:
        raise RuntimeError("postgresql://waybill:hunter2@db/tasks")

    (message,) = wake_ups(1)
    await publish_all(broker, [message], "users")
    dead = DeadLetterRecorder()
    async with (
        broker.consume(["users"], Recorder(before=fail), concurrency=1),
        broker.consume_dead_letters(dead),
    ):
        assert await dead.until(1) == [(message.encode(), "users", "internal_error: RuntimeError")]


async def test_a_dead_letter_is_offered_until_its_handler_takes_it(broker):
    await publish_all(broker, [poison()], "orders")
    dead = DeadLetterRecorder(failures=2)
    async with (
        broker.consume(["orders"], Recorder(), concurrency=1),
        broker.consume_dead_letters(dead),
    ):
        first, second, third = await dead.until(3)
    assert first == second == third


async def test_a_dead_letter_nobody_took_is_there_for_the_next(broker):
    await publish_all(broker, [poison()], "orders")
    dead = DeadLetterRecorder(failures=1)
    async with broker.consume(["orders"], Recorder(), concurrency=1):
        async with broker.consume_dead_letters(dead):
            await dead.until(1)
        async with broker.consume_dead_letters(dead):
            first, second = await dead.until(2)
    assert first == second


async def test_work_that_fails_does_not_end_the_consumer(broker):
    async def fail() -> None:
        raise RuntimeError("the export failed in a way nobody foresaw")

    received, dead = Recorder(work=fail), DeadLetterRecorder()
    sent = wake_ups(3)
    await publish_all(broker, sent, "orders")
    async with (
        broker.consume_dead_letters(dead),
        broker.consume(["orders"], received, concurrency=1),
    ):
        assert await received.until(3) == sent
    assert dead.seen == []


async def test_an_error_in_the_body_leaves_the_context_as_it_is(broker):
    with pytest.raises(ZeroDivisionError):
        async with broker.consume(["orders"], Recorder(), concurrency=1):
            raise ZeroDivisionError


async def test_closing_twice_is_fine_and_a_closed_broker_takes_nothing(broker):
    await publish_all(broker, wake_ups(1), "orders")
    await broker.close()
    await broker.close()
    with pytest.raises(BrokerUnavailable):
        await publish_all(broker, wake_ups(1), "orders")


async def test_f106_consumers_that_share_a_limit_leave_the_rest_to_others(broker):
    finish = asyncio.Event()
    orders, users, other = Recorder(work=finish.wait), Recorder(work=finish.wait), Recorder()
    shared = SharedLimit(1)
    first, second, last = wake_ups(3)
    async with (
        broker.consume(["orders"], orders, concurrency=2, shared=shared),
        broker.consume(["users"], users, concurrency=2, shared=shared),
    ):
        await publish_all(broker, [first], "orders")
        assert await orders.until(1) == [first]
        await publish_all(broker, [second], "users")
        async with broker.consume(["users"], other, concurrency=1):
            assert await other.until(1) == [second]
        assert users.seen == []
        await publish_all(broker, [last], "users")
        finish.set()
        assert await users.until(1) == [last]
    assert orders.seen == [first]
