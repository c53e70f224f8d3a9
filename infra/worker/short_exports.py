"""Short exports first: while an export begins in a process, the long ones in it wait for a moment.

Shards and other long exports run at a low priority (`thread_priority`), and need Python's lock like
everything else in their process. Where one loses the processor with the lock, the whole process
waits for it. So it pauses in the first moment of another export, which is all that most exports
take.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from waybill.exporter.ports import Sink

#: An export that runs for longer is not short. One of 1,000 rows takes a tenth of that (measured).
_SHORT_SECONDS = 0.5
#: An export of as many rows is long from its start: ten columns of them take about that time.
LONG_FROM_ROWS = 200_000


class Waits(Protocol):
    """What a long export waits for."""

    def wait(self) -> float:
        """Wait for what runs now; for how many seconds that was."""
        ...


class ShortExports:
    """The exports of one process, each of which counts as short for `seconds`. Thread-safe."""

    def __init__(self, seconds: float = _SHORT_SECONDS) -> None:
        self._seconds = seconds
        self._changed = threading.Condition()
        #: When each of them is short no more, by the monotonic clock. The keys are their threads.
        self._ends: dict[int, float] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """For as long as an export runs in this thread."""
        export = threading.get_ident()
        with self._changed:
            self._ends[export] = time.monotonic() + self._seconds
        try:
            yield
        finally:
            with self._changed:
                del self._ends[export]
                self._changed.notify_all()

    def wait(self) -> float:
        """Wait for those that are short now, and for none that begins meanwhile.

        The export of this thread does not wait for itself.
        """
        if not self._ends:
            return 0.0
        began = time.monotonic()
        with self._changed:
            known = self._ends.keys() - {threading.get_ident()}
            while (left := self._longest(known) - time.monotonic()) > 0:
                self._changed.wait(left)
        return time.monotonic() - began

    def _longest(self, exports: set[int]) -> float:
        return max((self._ends.get(export, 0.0) for export in exports), default=0.0)


class LongExport:
    """One that waits for `short` ones. Use it from one thread."""

    def __init__(self, short: Waits, clock: Callable[[], float] = time.monotonic) -> None:
        self._short = short
        self._clock = clock
        self._not_before = 0.0

    def let_pass(self) -> None:
        """Wait for short exports, and not again for as long: it has half of the time at least."""
        if self._clock() >= self._not_before:
            waited = self._short.wait()
            self._not_before = self._clock() + waited


class LongExportSink:
    """A sink that lets short exports pass before each write."""

    def __init__(self, sink: Sink, short: ShortExports) -> None:
        self._sink = sink
        self._export = LongExport(short)

    def write(self, data: bytes) -> None:
        """See `Sink.write`."""
        self._export.let_pass()
        self._sink.write(data)

    def expect(self, size_bytes: int, crc32: int) -> None:
        """See `Sink.expect`."""
        self._sink.expect(size_bytes, crc32)
