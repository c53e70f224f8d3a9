"""Waybill's processes in the soak: restarted when they die, and one with a clock of its own."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.fault_bench import Bench
from tests.support.processes import WAYBILL

_STOP_SECONDS = 120

Start = Callable[[], "subprocess.Popen[bytes]"]


class Supervised:
    """A process of Waybill that is started again whenever it has ended, as systemd would."""

    def __init__(self, name: str, start: Start) -> None:
        self.name = name
        self._start = start
        self._lock = threading.Lock()
        self._held = False
        self._process = start()

    @property
    def pid(self) -> int:
        """Of the process that runs now, or ran last."""
        return self._process.pid

    def keep_alive(self) -> None:
        """Start it again if it is not there, unless it is held."""
        with self._lock:
            if not self._held and self._process.poll() is not None:
                self._process = self._start()

    def kill(self) -> None:
        """`kill -9`; a process that is frozen dies of it too."""
        self._process.kill()

    def end(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def hold(self) -> None:
        """End it, and keep it from being started again until `release`."""
        with self._lock:
            self._held = True
        self.close()

    def release(self) -> None:
        """Let it run again."""
        with self._lock:
            self._held = False

    def close(self) -> None:
        """End it for good."""
        self.end()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
            raise


class Clock:
    """The wall clock of one process, by libfaketime. Its monotonic clock stays right.

    It holds from the start of the process on. Under libfaketime some sleeps fail (EINVAL), so a
    process with the right time has none of it.
    """

    def __init__(self) -> None:
        (self._library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        self._offset = ""

    def shift(self, offset: str) -> None:
        """Set it wrong, as in ``+20m``."""
        self._offset = offset

    def set_right(self) -> None:
        """Set it right."""
        self._offset = ""

    @property
    def environment(self) -> dict[str, str]:
        """For a process that starts now."""
        if not self._offset:
            return {}
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME": self._offset,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def worker_with(clock: Clock, bench: Bench) -> Start:
    """Starts `waybill worker` by the clock: the bench's own way starts processes beforehand."""

    def start() -> subprocess.Popen[bytes]:
        with bench.log.open("ab") as log:
            return subprocess.Popen(
                [WAYBILL, "worker"], env=bench.env | clock.environment, stdout=log, stderr=log
            )

    return start


@contextmanager
def supervised(processes: list[Supervised]) -> Iterator[None]:
    """Restart whatever dies, for as long as the context is open."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for process in processes:
                process.keep_alive()

    watcher = threading.Thread(target=watch, name="supervisor")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
