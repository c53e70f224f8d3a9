"""Stop token: requests to a running export, made from another thread: to end, or to pause."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from waybill.exporter.errors import ExportStopped


class StopToken:
    """Carries requests to the thread that exports. Of those to stop the first one wins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reason: ExportStopped | None = None
        self._interrupt: Callable[[], None] | None = None
        #: Set while a pause is requested.
        self._on_pause: Callable[[], object] | None = None

    def request(self, reason: ExportStopped) -> None:
        """Ask to stop for `reason`, and interrupt a read that is blocking. Thread-safe.

        An export that is paused stops as well.
        """
        with self._changed:
            if self._reason is not None:
                return
            self._reason = reason
            interrupt = self._interrupt
            self._changed.notify_all()
        if interrupt:
            interrupt()

    def pause(self, on_pause: Callable[[], object]) -> None:
        """Ask the export to wait at its next `check`, which calls `on_pause`. Thread-safe.

        A read that blocks goes on, so the pause may come late, or not at all.
        """
        with self._changed:
            self._on_pause = on_pause
            self._changed.notify_all()

    def resume(self) -> None:
        """Withdraw `pause`: the export goes on. Thread-safe."""
        with self._changed:
            self._on_pause = None
            self._changed.notify_all()

    def interrupt_with(self, interrupt: Callable[[], None] | None) -> None:
        """Set what `request` calls besides raising the flag, such as `RowStream.cancel`."""
        with self._changed:
            self._interrupt = interrupt
            requested = self._reason is not None
        if requested and interrupt:
            interrupt()

    def check(self) -> None:
        """Wait while a pause is requested, and raise the reason if a stop was."""
        if self._on_pause is not None:
            self._wait()
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until a stop or a pause is requested; then as `check`."""
        with self._changed:
            if self._reason is None and self._on_pause is None:
                self._changed.wait(seconds)
        self.check()

    def _wait(self) -> None:
        called: Callable[[], object] | None = None
        with self._changed:
            while self._reason is None and (on_pause := self._on_pause) is not None:
                if on_pause is not called:
                    on_pause()
                    called = on_pause
                self._changed.wait()

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
