"""A limit on what several consumers have in work together."""

from __future__ import annotations

from collections.abc import Callable


class SharedLimit:
    """A limit on the deliveries of several consumers together. Use it from one event loop.

    Consumers of two queues that take a message at the same moment may pass it by one.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("one delivery has to be possible")
        self._limit = limit
        self._running = 0
        self._on_change: set[Callable[[], None]] = set()

    @property
    def full(self) -> bool:
        """Whether another delivery would be one too many."""
        return self._running >= self._limit

    def tell(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` whenever a delivery of any consumer has ended."""
        self._on_change.add(on_change)

    def started(self) -> None:
        """Count one delivery more."""
        self._running += 1

    def ended(self) -> None:
        """Count one delivery less."""
        self._running -= 1
        for on_change in self._on_change:
            on_change()
