"""The number of open event streams, over all API processes that share a listening socket."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StreamCount:
    """The counts of several processes in shared memory, and the place of this one among them."""

    counts: Any
    place: int

    @classmethod
    def of_processes(cls, number: int) -> list[StreamCount]:
        """One for each of `number` processes that are spawned with it as an argument."""
        counts = multiprocessing.get_context("spawn").RawArray("q", number)
        return [cls(counts, place) for place in range(number)]

    def set(self, streams: int) -> None:
        """Record how many this process has open."""
        self.counts[self.place] = streams

    def total(self) -> int:
        """How many all processes together have open."""
        return sum(self.counts)
