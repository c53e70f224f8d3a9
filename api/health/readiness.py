"""Whether this process can do its work: every check, side by side, within a time limit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

from waybill.exporter.errors import WaybillError
from waybill.storage.errors import StorageError

log = logging.getLogger(__name__)

#: Orchestrators give a probe a few seconds; an answer after that is no answer.
_PATIENCE = timedelta(seconds=3)


class Readiness:
    """Runs the checks of `Services`. A check that hangs is not started a second time."""

    def __init__(
        self, checks: Mapping[str, Callable[[], None]], patience: timedelta = _PATIENCE
    ) -> None:
        self._checks = checks
        self._patience = patience
        self._threads = ThreadPoolExecutor(max(1, len(checks)), thread_name_prefix="ready")
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}

    def failures(self) -> dict[str, str]:
        """What is not ready, by name, with one line that says why; empty when all is well."""
        with self._lock:
            for name, check in self._checks.items():
                if name not in self._running or self._running[name].done():
                    self._running[name] = self._threads.submit(check)
            running = dict(self._running)
        wait(running.values(), self._patience.total_seconds())
        reasons = {name: _reason(name, future) for name, future in running.items()}
        return {name: reason for name, reason in reasons.items() if reason}

    def close(self) -> None:
        """Start no further checks."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _reason(name: str, future: Future[None]) -> str | None:
    if not future.done():
        return "It does not answer in time."
    error = future.exception()
    if error is None:
        return None
    log.warning("not ready", extra={"check": name, "why": type(error).__name__})
    if isinstance(error, WaybillError | StorageError):
        return error.message
    return "It does not work."
