"""Readiness: all dependency checks of this process, run in parallel within a time limit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

from waybill.exporter.errors import WaybillError
from waybill.storage.errors import StorageError

log = logging.getLogger(__name__)

#: Orchestrators give a probe a few seconds; a later answer counts as a failure.
_TIMEOUT = timedelta(seconds=3)
#: Checks write. However often readiness is asked for, they write no more often than this.
_MAX_AGE = timedelta(seconds=5)
#: An orchestrator that waits for this process to become ready sees it soon.
_MAX_AGE_OF_FAILURES = timedelta(seconds=1)


class Readiness:
    """Runs the checks of `Services`. A check that is still running is not started again."""

    def __init__(
        self,
        checks: Mapping[str, Callable[[], object]],
        timeout: timedelta = _TIMEOUT,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` returns seconds."""
        self._checks = checks
        self._timeout = timeout
        self._clock = clock
        self._old_at = 0.0
        self._threads = ThreadPoolExecutor(max(1, len(checks)), thread_name_prefix="ready")
        # A thread of its own waits for them: those of requests may all be busy.
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._answer: asyncio.Future[dict[str, str]] | None = None
        self._lock = threading.Lock()
        self._running: dict[str, Future[object]] = {}

    async def ask(self) -> dict[str, str]:
        """`failures`, without blocking; up to 5 s old, and 1 s if there are any.

        All who ask meanwhile share an answer.
        """
        if self._answer is None or (self._answer.done() and self._clock() >= self._old_at):
            loop = asyncio.get_running_loop()
            self._answer = loop.run_in_executor(self._waiting, self._failures_and_age)
        return await asyncio.shield(self._answer)

    def _failures_and_age(self) -> dict[str, str]:
        failures = self.failures()
        lives = _MAX_AGE_OF_FAILURES if failures else _MAX_AGE
        self._old_at = self._clock() + lives.total_seconds()
        return failures

    def failures(self) -> dict[str, str]:
        """The checks that failed, by name, each with a one-line reason. Empty if all passed."""
        with self._lock:
            for name, check in self._checks.items():
                if name not in self._running or self._running[name].done():
                    self._running[name] = self._threads.submit(check)
            running = dict(self._running)
        wait(running.values(), self._timeout.total_seconds())
        reasons = {name: _reason(name, future) for name, future in running.items()}
        return {name: reason for name, reason in reasons.items() if reason}

    def close(self) -> None:
        """Start no further checks."""
        for threads in (self._waiting, self._threads):
            threads.shutdown(wait=False, cancel_futures=True)


def _reason(name: str, future: Future[object]) -> str | None:
    if not future.done():
        return "No answer in time."
    error = future.exception()
    if error is None:
        return None
    log.warning("not ready", extra={"check": name, "why": type(error).__name__})
    if isinstance(error, WaybillError | StorageError):
        return error.message
    return "The check failed."
