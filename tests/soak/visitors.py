"""The people of the soak: they ask for exports all along, and sometimes change their minds."""

from __future__ import annotations

import random
import threading
from uuid import uuid4

import httpx2

from tests.support.fault_bench import Bench

_PAUSE_SECONDS = (0.5, 2.0)
#: How long somebody waits for an answer before asking again.
_PATIENCE_SECONDS = 5
_CANCELS = 0.05


class Visitors:
    """Ask for one export after another until told to stop; `bench.accepted` has the answers."""

    def __init__(self, bench: Bench, chance: random.Random) -> None:
        self.unanswered = 0
        self._bench = bench
        self._chance = chance
        self._stop = threading.Event()
        bench.client.timeout = _PATIENCE_SECONDS

    def run(self) -> None:
        """Ask, in a thread of its own."""
        while not self._stop.wait(self._chance.uniform(*_PAUSE_SECONDS)):
            task_id = self._ask_until_answered()
            if task_id and self._chance.random() < _CANCELS:
                try:
                    self._bench.cancel(task_id)
                except httpx2.TransportError:
                    self.unanswered += 1

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _ask_until_answered(self) -> str | None:
        name, params = self._chance.choice(
            [
                ("ledger", {}),
                ("slow", {"seconds": self._chance.uniform(0.5, 4)}),
                ("numbers", {"rows": self._chance.randrange(1, 20_000)}),
                # A few of several parts: an hour of many would fill the disk.
                ("numbers", {"rows": int(200_000 * self._chance.random() ** 3)}),
            ]
        )
        # The same key for every try: an answer that was lost must not cost a second task.
        key = tag = str(uuid4())
        while not self._stop.is_set():
            try:
                return self._bench.submit(name, key=key, tag=tag, **params)
            except (httpx2.TransportError, AssertionError):
                # No answer, or 503: the task may be there or not.
                self.unanswered += 1
                self._stop.wait(0.2)
        return None
