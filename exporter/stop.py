"""Stop token: a request to end a running export, made from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from waybill.exporter.errors import ExportStopped


class StopToken:
    """Carries one request to stop to the thread that exports. The first request wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: ExportStopped | None = None
        self._interrupt: Callable[[], None] | None = None

    def request(self, reason: ExportStopped) -> None:
        """Ask to stop for `reason`, and interrupt a read that is blocking. Thread-safe."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            interrupt = self._interrupt
        if interrupt:
            interrupt()

    def interrupt_with(self, interrupt: Callable[[], None] | None) -> None:
        """Set what `request` calls besides raising the flag, such as `RowStream.cancel`."""
        with self._lock:
            self._interrupt = interrupt
            requested = self._reason is not None
        if requested and interrupt:
            interrupt()

    def check(self) -> None:
        """Raise the reason if a stop was requested."""
        if self._reason is not None:
            raise self._reason

    @contextmanager
    def around_reading(self) -> Iterator[None]:
        """Around a read that `interrupt_with` may interrupt: it ends with the reason then.

        Raises:
            ExportStopped: a stop was requested, before or while reading.
        """
        self.check()
        try:
            yield
        except ExportStopped:
            raise
        except Exception:
            # An interrupted read fails with an error of the driver; the request is the reason.
            self.check()
            raise
        finally:
            self.interrupt_with(None)
