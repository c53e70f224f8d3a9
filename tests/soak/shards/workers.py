"""Workers that are killed, frozen and replaced, and the export that they are at."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.fault_bench import Bench, end
from tests.support.wide_exports import Orders

#: Much longer than an export takes on a machine that does other work as well.
PATIENCE_SECONDS = 1200.0


class Workers:
    """Some workers, of which those that died are replaced. They run on from export to export."""

    def __init__(self, bench: Bench, count: int, settings: dict[str, str], orders: Orders) -> None:
        self._bench = bench
        self._settings = settings
        self._orders = orders
        self._killed: set[int] = set()
        self._started = 0
        #: Failpoints at which workers died, and deaths that nobody ordered.
        self.died_at: Counter[str] = Counter()
        self.running = [self._start() for _ in range(count)]
        wait_for(lambda: all(map(bench.has_started, self.running)), PATIENCE_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        # Memory that nobody has written to holds other bytes in each process, as it does on other
        # machines: what depends on it shows. The process after this one inherits it.
        self._started += 1
        os.environ |= {
            "MALLOC_PERTURB_": str(self._started * 37 % 256),
            "ARROW_DEFAULT_MEMORY_POOL": "system",
        }
        return self._bench.start("worker", "--queue", "quick", **self._settings)

    def replace_dead(self) -> None:
        """Replace those that have died."""
        for place, process in enumerate(self.running):
            if process.poll() is None:
                continue
            if process.pid not in self._killed:
                point, _, _ = (self._orders.armed(process.pid) or "by itself").partition(":")
                self.died_at[point] += 1
            self.running[place] = self._start()

    def kill(self, *processes: subprocess.Popen[bytes]) -> None:
        """`kill -9`, of all at once."""
        for process in processes:
            self._killed.add(process.pid)
            process.kill()
        for process in processes:
            process.wait()

    def kill_armed(self) -> int:
        """Kill those that did not get to their failpoint; how many those were."""
        armed = [each for each in self.running if self._orders.armed(each.pid)]
        self.kill(*(each for each in armed if each.poll() is None))
        self.replace_dead()
        return len(armed)

    def named(self, name: str | None) -> subprocess.Popen[bytes] | None:
        """The process that is called so in the tables, if it lives."""
        for process in self.running:
            if name and f"-{process.pid}-" in name and process.poll() is None:
                return process
        return None

    def close(self) -> None:
        """End them all."""
        for process in self.running:
            process.send_signal(signal.SIGCONT)
            end(process)


@dataclass
class Export:
    """One export, and the workers that write it."""

    bench: Bench
    workers: Workers
    task_id: str
    chance: random.Random
    #: What was done to it, by kind.
    done: Counter[str] = field(default_factory=Counter)

    def row(self) -> sa.RowMapping:
        """Its task."""
        return self.bench.row(self.task_id)

    def shards(self) -> list[sa.RowMapping]:
        """Its shards, in order."""
        return self.bench.shards(self.task_id)

    def until(self, check: Callable[[], Any]) -> bool:
        """Wait for `check`, and replace workers that die; False when the export has ended."""

        def outcome() -> str:
            self.workers.replace_dead()
            if not self.bench.live(self.task_id):
                return "ended"
            return "true" if check() else ""

        try:
            return wait_for(outcome, PATIENCE_SECONDS) == "true"
        except AssertionError as error:
            error.add_note(f"{self.task_id} got no further: {dict(self.row())}")
            raise

    def end(self) -> sa.RowMapping:
        """Wait for its end."""
        self.until(lambda: False)
        return self.row()

    def rows_written(self) -> int:
        """As far as is on record."""
        return sum(shard["rows_done"] for shard in self.shards()) or self.row()["rows_done"]

    def owner(self) -> subprocess.Popen[bytes] | None:
        """The worker that has the task."""
        return self.workers.named(self.row()["lease_owner"])

    def writers(self) -> list[tuple[subprocess.Popen[bytes], sa.RowMapping]]:
        """Workers that write a shard now, with it."""
        found = [
            (self.workers.named(shard["lease_owner"]), shard)
            for shard in self.shards()
            if shard["state"] == "RUNNING"
        ]
        return [(process, shard) for process, shard in found if process is not None]


def freeze(process: subprocess.Popen[bytes]) -> None:
    """SIGSTOP."""
    os.kill(process.pid, signal.SIGSTOP)


def thaw(process: subprocess.Popen[bytes]) -> None:
    """SIGCONT."""
    os.kill(process.pid, signal.SIGCONT)
