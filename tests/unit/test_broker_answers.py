"""A question to the broker: what a cancellation and a lost connection look like to who asks."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.connection import answered


async def _as_an_error() -> None:
    """As `asyncio.wait_for` of Python 3.11 does, when its time is over at the same moment."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise TimeoutError from None


async def _as_a_result() -> None:
    """As `asyncio.wait_for` of Python 3.11 does, when the answer came at the same moment."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def _as_it_is() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("library", [_as_an_error, _as_a_result, _as_it_is])
async def test_a_cancelled_task_ends_whatever_a_library_makes_of_it(library) -> None:
    asked: asyncio.Queue[None] = asyncio.Queue()

    async def watch() -> None:
        while True:
            with suppress(BrokerUnavailable):
                async with answered(30):
                    asked.put_nowait(None)
                    await library()

    task = asyncio.create_task(watch())
    await asked.get()
    task.cancel()
    await asyncio.wait([task], timeout=5)

    assert (task.cancelled(), asked.empty()) == (True, True)


async def test_a_call_that_a_lost_connection_ended_is_a_failure() -> None:
    with pytest.raises(BrokerUnavailable):
        async with answered(30):
            raise asyncio.CancelledError


async def test_an_answer_that_comes_too_late_is_a_failure() -> None:
    with pytest.raises(BrokerUnavailable) as caught:
        async with answered(0.01):
            await asyncio.Event().wait()
    assert isinstance(caught.value.__cause__, TimeoutError)
