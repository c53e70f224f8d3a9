"""Capacity: how many exports of one worker run at once, of each queue and of all together.

The concurrency of a queue is an upper bound. Below it the memory of the process, which all its
exports share, limits how many there are. What finds no room is not claimed, so that another worker
can take it. A paused export runs no more, but it keeps its memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence


class Capacity:
    """Counts the claims that a worker holds. Use it from its event loop."""

    def __init__(
        self, queues: Sequence[str], concurrency: int, exports_at_once: int, *, max_paused: int = 0
    ) -> None:
        """`exports_at_once` is what memory has room for, of all `queues` together.

        Of them at most `max_paused` are paused.
        """
        self._queues = list(queues)
        self._concurrency = concurrency
        self._max_paused = max_paused
        #: Exports in memory: those that run, and those that are paused.
        self._most = max(1, exports_at_once)
        self.exports_at_once = min(self._most, concurrency * max(1, len(queues)))
        self._running: Counter[str] = Counter()
        self._paused: Counter[str] = Counter()
        #: Set while no claim is held, and while there is room for one more.
        self.idle, self.room = asyncio.Event(), asyncio.Event()
        self._change("", running=0)

    @property
    def is_idle(self) -> bool:
        """Whether no claim is held, not even by a paused export."""
        return not self._held

    @property
    def is_full(self) -> bool:
        """Whether memory has no room for one more export."""
        return self.running >= self.exports_at_once or self._held >= self._most

    @property
    def running(self) -> int:
        """The number of exports that run; those that are paused do not."""
        return self._running.total()

    @property
    def may_pause(self) -> bool:
        """Whether one more export may be paused, and memory has room for another in its place."""
        return self._paused.total() < self._max_paused and self._held < self._most

    def is_full_for(self, queue: str) -> bool:
        """Whether one more export of `queue` would be one too many there."""
        return self._running[queue] >= self._concurrency

    def may_help(self, queue: str) -> bool:
        """Whether a shard of another worker's export of `queue` may be written here.

        One place stays free for exports, which a large one beside them would hold up otherwise. A
        worker that runs one export at a time has no other place.
        """
        kept = 1 if min(self._concurrency, self.exports_at_once) > 1 else 0
        return (
            self._running[queue] + kept < self._concurrency
            and self.running + kept < self.exports_at_once
            and not self.is_full
        )

    def take(self, queue: str) -> None:
        """Count a claim."""
        self._change(queue, running=1)

    def release(self, queue: str, *, paused: bool = False) -> None:
        """Count the end of a claim, of an export that runs or is `paused`."""
        self._change(queue, running=0 if paused else -1, paused=-1 if paused else 0)

    def pause(self, queue: str) -> None:
        """Count a running export as paused."""
        self._change(queue, running=-1, paused=1)

    def resume(self, queue: str) -> None:
        """Count a paused export as running."""
        self._change(queue, running=1, paused=-1)

    def after(self, queue: str) -> Sequence[str]:
        """The queues that the place of an ended export of `queue` may go to, the first one first.

        Its own, where each queue has places enough. Where queues share too few, each in turn,
        or a long queue would hold up the others.
        """
        if self.exports_at_once >= self._concurrency * len(self._queues):
            return [queue]
        first = self._queues.index(queue) + 1
        return self._queues[first:] + self._queues[:first]

    @property
    def _held(self) -> int:
        return self.running + self._paused.total()

    def _change(self, queue: str, *, running: int, paused: int = 0) -> None:
        self._running[queue] += running
        self._paused[queue] += paused
        for event, holds in ((self.idle, self.is_idle), (self.room, not self.is_full)):
            if holds:
                event.set()
            else:
                event.clear()
