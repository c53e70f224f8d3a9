"""Sending the parts of one upload on background threads, a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from waybill.storage.errors import ChecksumMismatch
from waybill.storage.parts import Part
from waybill.timing import backoff

T = TypeVar("T")

#: Sends of a part whose bytes arrive changed: once is the network, thrice is the machine.
_SENDS = 3
#: The longest wait before the second send, and before the third. The real wait is random.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 1.0
#: How long `stop` waits for parts under way. The store refuses one that lands later, or its
#: rule for open uploads takes it.
_STOP_SECONDS = 5.0


class PartSender:
    """Numbers parts from `first` and calls `send` for each, with at most `in_flight` under way.

    One thread calls the methods; `bytes_confirmed` may be read from any.
    """

    def __init__(
        self, send: Callable[[int, bytes], Part], in_flight: int, *, first: int = 1
    ) -> None:
        #: How many were submitted.
        self.count = 0
        self._first = first
        self.bytes_confirmed = 0
        self._send = send
        self._in_flight = in_flight
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix="waybill-upload")
        self._pending: set[Future[None]] = set()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._confirmed: list[Part] = []

    def submit(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Send the next part as soon as there is room for it, and return then.

        Raises:
            StorageError: an earlier part could not be stored.
        """
        # Room first, one copy then: so that no more than `in_flight` + 1 parts ever exist.
        self._wait_until_pending(self._in_flight - 1)
        number = self._first + self.count
        self.count += 1
        self._pending.add(self._pool.submit(self._run, number, b"".join(pieces)))

    def settle(self) -> list[Part]:
        """Wait for every part so far and return them all, in order.

        Raises:
            StorageError: a part could not be stored.
        """
        self._wait_until_pending(0)
        return sorted(self._confirmed, key=lambda part: part.number)

    def finish(self) -> list[Part]:
        """The same after the last part.

        Raises:
            StorageError: a part could not be stored.
        """
        parts = self.settle()
        self._pool.shutdown()
        return parts

    def stop(self) -> None:
        """Send nothing more, and give what is under way a moment to end."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        # A cancelled future never counts as done once its pool is gone.
        wait([part for part in self._pending if not part.cancelled()], timeout=_STOP_SECONDS)

    def _wait_until_pending(self, at_most: int) -> None:
        while len(self._pending) > at_most:
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()

    def _run(self, number: int, body: bytes) -> None:
        part = send_until_intact(lambda: self._send(number, body), self._stopped)
        with self._lock:
            self._confirmed.append(part)
            self.bytes_confirmed += part.size_bytes


def send_until_intact(send: Callable[[], T], stopped: threading.Event | None = None) -> T:
    """Call `send` up to three times, until what it sends arrives unchanged or `stopped` is set.

    Raises:
        ChecksumMismatch: it never did.
        StorageError: any other error of `send`, at once.
    """
    stopped = stopped or threading.Event()
    for attempt in range(1, _SENDS):
        try:
            return send()
        except ChecksumMismatch:
            pause = backoff(
                attempt, first=_FIRST_WAIT_SECONDS, longest=_LONGEST_WAIT_SECONDS, jitter=1.0
            )
            if stopped.wait(pause):
                raise
    return send()
