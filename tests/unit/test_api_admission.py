"""F100: more requests than a process can answer in time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from waybill.api.http.admission import Lane
from waybill.api.problems.errors import Overloaded

LONG = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_f100_no_more_than_the_slots_work_at_once_and_all_have_their_turn() -> None:
    lane, at_work, most, order = Lane(3, LONG), 0, 0, []

    async def work(number: int) -> None:
        nonlocal at_work, most
        async with lane.turn():
            at_work += 1
            most = max(most, at_work)
            order.append(number)
            await asyncio.sleep(0)
            at_work -= 1

    await asyncio.gather(*map(work, range(40)))

    assert most == 3
    assert order == list(range(40))
    assert (lane.waiting, lane.expected_wait()) == (0, 0.0)


async def test_f100_what_would_come_too_late_is_refused_at_once_with_a_time() -> None:
    clock = Clock()
    lane = Lane(1, timedelta(seconds=1), clock)
    for _ in range(50):
        async with lane.turn():
            clock.now += 0.4
    async with AsyncExitStack() as turns:
        await turns.enter_async_context(lane.turn())
        # Its turn comes in 0.4 s, and that of the third in 1.2 s.
        waiting = [asyncio.create_task(turns.enter_async_context(lane.turn())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            lane.check()
        assert timedelta(seconds=1.15) < refused.value.retry_after <= timedelta(seconds=2.4)
        for each in waiting:
            each.cancel()


async def test_f100_a_lane_in_which_nothing_moves_refuses_whatever_the_mean_was() -> None:
    clock = Clock()
    lane = Lane(1, timedelta(seconds=1), clock)
    async with lane.turn():
        lane.check()
        clock.now += 10
        with pytest.raises(Overloaded) as refused:
            await lane.turn().__aenter__()
        assert refused.value.retry_after >= timedelta(seconds=10)
    lane.check()


async def test_f100_who_has_waited_for_too_long_is_refused() -> None:
    lane = Lane(1, timedelta(milliseconds=20))
    async with lane.turn():
        with pytest.raises(Overloaded):
            await lane.turn().__aenter__()
    assert lane.waiting == 0
    async with lane.turn():
        pass


@pytest.mark.parametrize("called", [False, True], ids=["waiting", "just called"])
async def test_f100_a_client_that_leaves_takes_no_slot_along(called: bool) -> None:
    lane = Lane(1, LONG)
    first = lane.turn()
    await first.__aenter__()
    leaves = asyncio.create_task(lane.turn().__aenter__())
    await asyncio.sleep(0)
    if called:
        await first.__aexit__(None, None, None)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    if not called:
        await first.__aexit__(None, None, None)
    assert lane.expected_wait() == 0
    async with lane.turn():
        pass
