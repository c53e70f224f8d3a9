"""Remembered turns: the order of tenants in a queue, read once for several claims.

Reading it takes three index probes for each tenant that waits, which is most of what a claim costs
where hundreds wait. So a process keeps the tenants behind the one that it claimed for, and claims
for them next. Whether one of them has been served meanwhile is asked when its turn comes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

#: Tenants in one order: a tenant that joins the queue may have to wait for 15 claims more.
TENANTS_AT_ONCE = 16
#: How long an order is used. Two workers on two cores claim about 30 small exports a second.
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of a tenant, if nobody has served the tenant since `asked_at`."""

    tenant: str
    #: In the clock of the database.
    asked_at: datetime


class RememberedTurns:
    """The turns that come next in each queue. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: dict[str, tuple[float, deque[Turn]]] = {}

    def keep(self, queue: str, tenants: Sequence[str], asked_at: datetime) -> None:
        """Remember the order of `tenants` in `queue`, in place of an older one."""
        turns = deque(Turn(tenant, asked_at) for tenant in tenants)
        with self._lock:
            self._turns[queue] = self._clock() + _SECONDS, turns

    def next(self, queue: str) -> Turn | None:
        """Take the next turn in `queue`; None where the order has to be read anew."""
        with self._lock:
            until, turns = self._turns.get(queue, (0.0, deque[Turn]()))
            return turns.popleft() if turns and self._clock() < until else None

    def forget(self, queue: str) -> None:
        """Let the next claim in `queue` read the order anew."""
        with self._lock:
            self._turns.pop(queue, None)
