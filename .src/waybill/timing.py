"""Timing of retries and loops: `backoff` between failures, `every` between rounds.

Everything in Waybill may import this module, the client included; it imports nothing of Waybill.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress


def backoff(failures: int, *, first: float, longest: float, jitter: float = 0.5) -> float:
    """Seconds to wait after `failures` failures in a row, of which the last one is counted.

    The wait is `first` after the first failure, doubles with each further one and never exceeds
    `longest`. `jitter` is the random part of it, from 0 (none) to 1 ("full jitter": anything
    between no wait and the whole): clients that failed together do not come back together.
    """
    # Beyond this exponent every wait is `longest`, and a float would overflow in the end.
    wait = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 64))
    return wait * random.uniform(1 - jitter, 1)  # noqa: S311 - jitter is no secret


def every(
    seconds: float, *, jitter: float = 0.0, wake: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Rounds of a periodic loop: the first at once, each further one `seconds` after the last.

    ::

        async for _ in every(15, jitter=0.2):
            await sweep()

    The wait begins when the body has ended, so that rounds never overlap. With `jitter`, each
    wait is random between ``1 - jitter`` and ``1 + jitter`` times `seconds`. Setting `wake` ends
    the wait; it is cleared when a round begins, so one set during a round starts the next at once.
    """
    return _Rounds(seconds, jitter, wake or asyncio.Event())


class _Rounds(AsyncIterator[None]):
    """Not an async generator: a loop that is cancelled leaves nothing behind to be closed."""

    def __init__(self, seconds: float, jitter: float, wake: asyncio.Event) -> None:
        self._seconds = seconds
        self._jitter = jitter
        self._wake = wake
        self._started = False

    async def __anext__(self) -> None:
        if self._started:
            factor = random.uniform(1 - self._jitter, 1 + self._jitter)  # noqa: S311 - no secret
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds * factor):
                    await self._wake.wait()
        self._started = True
        self._wake.clear()
