"""Capacity: how many exports of one worker run at once, of each queue and of all together.

The concurrency of a queue is an upper bound. Below it the memory of the process, which all its
exports share, limits how many there are. What finds no room is not claimed, so that another worker
can take it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence


class Capacity:
    """Counts the claims that a worker holds. Use it from its event loop."""

    def __init__(self, queues: Sequence[str], concurrency: int, exports_at_once: int) -> None:
        """`exports_at_once` is for all `queues` together, and at least 1."""
        self._queues = list(queues)
        self._concurrency = concurrency
        self.exports_at_once = max(1, min(exports_at_once, concurrency * max(1, len(queues))))
        self._held: Counter[str] = Counter()
        #: Set while no claim is held, and while there is room for one more.
        self.idle, self.room = asyncio.Event(), asyncio.Event()
        self._notify()

    @property
    def is_idle(self) -> bool:
        """Whether no claim is held."""
        return not self._held.total()

    @property
    def is_full(self) -> bool:
        """Whether memory has no room for one more export."""
        return self._held.total() >= self.exports_at_once

    @property
    def running(self) -> int:
        """The number of claims that are held."""
        return self._held.total()

    def is_full_for(self, queue: str) -> bool:
        """Whether one more export of `queue` would be one too many there."""
        return self._held[queue] >= self._concurrency

    def take(self, queue: str) -> None:
        """Count a claim."""
        self._held[queue] += 1
        self._notify()

    def release(self, queue: str) -> None:
        """Count the end of a claim."""
        self._held[queue] -= 1
        self._notify()

    def after(self, queue: str) -> Sequence[str]:
        """The queues that the place of an ended export of `queue` may go to, the first one first.

        Its own, where each queue has places enough. Where queues share too few, each in turn,
        or a long queue would hold up the others.
        """
        if self.exports_at_once >= self._concurrency * len(self._queues):
            return [queue]
        first = self._queues.index(queue) + 1
        return self._queues[first:] + self._queues[:first]

    def _notify(self) -> None:
        for event, holds in ((self.idle, self.is_idle), (self.room, not self.is_full)):
            if holds:
                event.set()
            else:
                event.clear()
