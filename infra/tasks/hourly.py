"""A memory of what was recorded in this hour, so that no caller can fill the audit log."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from threading import Lock

_HOUR_SECONDS = 3600


class HourlyMemory:
    """Admits each key of an actor once an hour, and `per_actor` keys at most. Thread-safe.

    It belongs to one process: several processes admit a key once each. `clock` returns seconds;
    whole hours are counted by it.
    """

    def __init__(
        self, *, per_actor: int, actors: int = 10_000, clock: Callable[[], float] = time.time
    ) -> None:
        """Keys of more than `actors` actors in an hour are not admitted."""
        self.per_actor = per_actor
        self._actors = actors
        self._clock = clock
        self._lock = Lock()
        self._hour = 0
        self._noted: defaultdict[Hashable, set[Hashable]] = defaultdict(set)

    def knows(self, actor: Hashable, key: Hashable) -> bool:
        """Whether `key` would not be admitted now."""
        with self._lock:
            noted = self._noted.get(actor, ())
            return self._hour == self._this_hour and (key in noted or len(noted) >= self.per_actor)

    def admit(self, actor: Hashable, key: Hashable) -> int | None:
        """The number of this key among those of `actor` in this hour; None: do not record it."""
        with self._lock:
            this_hour = self._this_hour
            if self._hour != this_hour:
                self._hour = this_hour
                self._noted.clear()
            if actor not in self._noted and len(self._noted) >= self._actors:
                return None
            noted = self._noted[actor]
            if key in noted or len(noted) >= self.per_actor:
                return None
            noted.add(key)
            return len(noted)

    @property
    def _this_hour(self) -> int:
        return int(self._clock() // _HOUR_SECONDS)
