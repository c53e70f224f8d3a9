"""A thread of its own for each export."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def in_a_thread(export: Callable[[], T]) -> T:
    """What `export` returns or raises.

    The event loop's own threads are few, and heartbeats need them: exports that took them all would
    starve the leases they run under.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="waybill-export")
    try:
        # In a copy of this context, so that its spans are parts of the attempt's.
        work = partial(copy_context().run, export)
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    finally:
        thread.shutdown(wait=False)
