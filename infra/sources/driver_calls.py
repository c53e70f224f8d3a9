"""Calls into a database driver: cancellable from another thread, their errors translated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from waybill.infra.sources.errors import ReadCancelled, SourceError

#: A request to cancel that arrives between two statements is lost, so it is repeated until
#: the driver has come back, and given up when the database stays silent for five seconds.
_REPEAT_SECONDS = 0.05
_REPEATS = 100


class DriverCalls:
    """Guards the calls one thread makes, so that `cancel` works at any time from any other.

    `interrupt` ends the running statement, and must bear being called when there is none.
    """

    def __init__(
        self,
        interrupt: Callable[[], None],
        errors: tuple[type[Exception], ...],
        translate: Callable[[Exception], SourceError],
    ) -> None:
        self._interrupt = interrupt
        self._errors = errors
        self._translate = translate
        self._idle = threading.Event()
        self._idle.set()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._retired = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around each call that may block.

        Raises:
            ReadCancelled: `cancel` was called, before this call or during it.
            SourceError: what the driver raised, translated.
        """
        self._idle.clear()
        try:
            if self._cancelled.is_set():
                raise ReadCancelled
            yield
        except self._errors as error:
            if self._cancelled.is_set():
                raise ReadCancelled from None
            raise self._translate(error) from None
        finally:
            self._idle.set()

    def cancel(self) -> None:
        """End the running call and refuse all later ones. Returns when the driver is out of it."""
        self._cancelled.set()
        for _ in range(_REPEATS):
            with self._lock:
                if self._retired:
                    return
                self._interrupt()
            if self._idle.wait(_REPEAT_SECONDS):
                return

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def retire(self) -> None:
        """From now on `cancel` does nothing, so the connection can be closed in peace."""
        with self._lock:
            self._retired = True
