"""Readiness: all dependency checks of this process, run in parallel within a time limit."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

from waybill.exporter.errors import WaybillError
from waybill.storage.errors import StorageError

log = logging.getLogger(__name__)

#: Orchestrators give a probe a few seconds; a later answer counts as a failure.
_TIMEOUT = timedelta(seconds=3)


class Readiness:
    """Runs the checks of `Services`. A check that is still running is not started again."""

    def __init__(
        self, checks: Mapping[str, Callable[[], object]], timeout: timedelta = _TIMEOUT
    ) -> None:
        self._checks = checks
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(max(1, len(checks)), thread_name_prefix="ready")
        # A thread of its own waits for them: those of requests may all be busy.
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._answer: asyncio.Future[dict[str, str]] | None = None
        self._lock = threading.Lock()
        self._running: dict[str, Future[object]] = {}

    async def ask(self) -> dict[str, str]:
        """`failures`, without blocking; all who ask at one time share an answer."""
        if self._answer is None or self._answer.done():
            loop = asyncio.get_running_loop()
            self._answer = loop.run_in_executor(self._waiting, self.failures)
        return await asyncio.shield(self._answer)

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
