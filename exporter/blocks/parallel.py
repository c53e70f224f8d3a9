"""Parallel map: work on a few threads, results in order, a bounded number in progress."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: The most threads of a map that begins in this context; None: as many as it asks for.
_most_threads: ContextVar[int | None] = ContextVar("most_threads", default=None)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Let each `map_ordered` that begins in here have one thread: less memory, the same results."""
    before = _most_threads.set(1)
    try:
        yield
    finally:
        _most_threads.reset(before)


def map_ordered(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    threads: int | None = None,
    is_large: Callable[[T], bool] = lambda item: False,
) -> Generator[R, None, None]:
    """Yield ``work(item)`` for each item, in order, computed on `threads` threads.

    At most ``threads + 1`` items are in progress or waiting for the consumer, so a slow consumer
    stops the source (back-pressure) and memory does not depend on the number of items. One for
    which `is_large` holds is alone in progress, since memory may have no room for two.
    `items` is pulled on the caller's thread. Closing the generator cancels items that have
    not started and waits for those that have.
    """
    count = _most_threads.get() or threads or os.cpu_count() or 1
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="waybill-render")
    try:
        for item in items:
            alone = is_large(item)
            while pending and alone:
                yield pending.popleft().result()
            pending.append(pool.submit(work, item))
            # What is done with it, its work alone holds.
            del item
            if len(pending) > count or alone:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
