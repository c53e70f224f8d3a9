"""Waits between failures and between rounds."""

from __future__ import annotations

import asyncio

import pytest

from waybill.timing import backoff, every


def test_the_wait_doubles_up_to_the_longest():
    waits = [backoff(failures, first=0.5, longest=3, jitter=0) for failures in range(1, 6)]
    assert waits == [0.5, 1, 2, 3, 3]


def test_a_million_failures_wait_as_long_as_the_longest():
    assert backoff(1_000_000, first=0.5, longest=30, jitter=0) == 30


@pytest.mark.parametrize("jitter", [0.2, 1.0])
def test_jitter_shortens_the_wait_by_at_most_its_part(jitter):
    waits = [backoff(2, first=1, longest=30, jitter=jitter) for _ in range(200)]
    assert all(2 * (1 - jitter) <= wait <= 2 for wait in waits)
    assert len(set(waits)) > 100


async def test_the_first_round_starts_at_once_and_rounds_go_on():
    rounds = 0
    async for _ in every(0.001, jitter=0.5):
        rounds += 1
        if rounds == 3:
            break
    assert rounds == 3


async def test_a_wake_up_ends_the_wait_even_one_that_came_during_a_round():
    wake, rounds = asyncio.Event(), 0
    async with asyncio.timeout(10):
        async for _ in every(3600, wake=wake):
            rounds += 1
            if rounds == 3:
                break
            wake.set()
    assert rounds == 3
    assert not wake.is_set()
