"""Look-ups of host names while a request waits: few at once, few of one tenant, never a queue.

Users choose the names, and so how slow their name servers are. A look-up cannot be ended from
outside, so what is left behind keeps its thread: it must not be a thread that others wait for.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

_SECONDS = 3.0
_AT_ONCE = 8
_PER_TENANT = 2


class Lookups:
    """Runs look-ups on threads of its own. Safe to use from any thread."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        """`seconds` is how long a caller waits."""
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lookup")
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    def run(self, tenant: str, look_up: Callable[[], T]) -> T | None:
        """What `look_up` returns; None when it takes too long, or cannot start now.

        Raises what `look_up` raises.
        """
        if not self._begin(tenant):
            return None
        future = self._threads.submit(look_up)
        future.add_done_callback(lambda _: self._end(tenant))
        waited: set[Future[T]] = wait([future], self._seconds).done
        return future.result() if waited else None

    def _begin(self, tenant: str) -> bool:
        with self._lock:
            if self._running[tenant] >= _PER_TENANT or self._running.total() >= _AT_ONCE:
                return False
            self._running[tenant] += 1
            return True

    def _end(self, tenant: str) -> None:
        with self._lock:
            self._running[tenant] -= 1
            # Names of tenants come from outside, and must not pile up.
            if not self._running[tenant]:
                del self._running[tenant]
