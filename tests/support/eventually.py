"""Waiting for something another process does: polled, bounded, and honest when it fails."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def eventually(check: Callable[[], Any], *, within_seconds: float = 30.0) -> Any:
    """Call `check`, or await it, until its result is true, and return that result.

    An exception it raises in the meantime is waited out, and shown when time is up.
    """
    deadline = asyncio.get_running_loop().time() + within_seconds
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
        if asyncio.get_running_loop().time() > deadline:
            cause = last if isinstance(last, Exception) else None
            raise AssertionError(f"still {last!r} after {within_seconds:g} s") from cause
        await asyncio.sleep(0.05)
