"""The poller: waiting for something another thread or process does, bounded, honest on failure."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.05
#: For what comes within seconds on a quiet machine: a busy one may take its time.
PATIENCE_SECONDS = 240.0


async def eventually(check: Callable[[], Any], *, within_seconds: float = PATIENCE_SECONDS) -> Any:
    """Call `check`, or await it, until its result is true, and return that result.

    An exception it raises in the meantime is waited out, and shown when time is up.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        last: object
        try:
            last = check()
            if inspect.isawaitable(last):
                last = await last
            if last:
                return last
        except Exception as error:
            last = error
        if time.monotonic() > deadline:
            cause = last if isinstance(last, Exception) else None
            raise AssertionError(f"still {last!r} after {within_seconds:g} s") from cause
        await asyncio.sleep(_PAUSE_SECONDS)


def wait_for(check: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Call `check` until its result is true, and return that; without an event loop.

    An exception it raises ends the wait: the process that was waited for is gone.
    """
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {seconds:g} s")
        time.sleep(_PAUSE_SECONDS)
    return found
