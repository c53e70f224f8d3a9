"""A run of parts: what one process writes of an upload that several processes share.

Parts have the numbers of the run, and all but the last one are equal. Every part of a run has at
least 5 MiB, since parts of another run follow: what is left at the end is joined to the part
before, which is therefore held back.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from waybill.storage.errors import UploadTooLarge
from waybill.storage.part_sender import PartSender
from waybill.storage.parts import MIN_PART_BYTES, Part, PartCutter

Pieces = list[bytes | memoryview]


class PartRun:
    """Writes the parts numbered from `first` on, at most `most` of them, front to back.

    It holds up to `part_bytes` × 4 in memory. Use it as a context manager, and call `finish`.
    """

    def __init__(
        self,
        send: Callable[[int, bytes], Part],
        *,
        first: int,
        most: int,
        part_bytes: int,
        in_flight: int = 2,
        is_last: bool = False,
    ) -> None:
        self._cutter = PartCutter(part_bytes)
        self._sender = PartSender(send, in_flight, first=first)
        self._most = most
        self._least_bytes = 0 if is_last else MIN_PART_BYTES
        #: The last full part, which may have to take in what is left at the end.
        self._held: Pieces = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._sender.stop()

    @property
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed."""
        return self._sender.bytes_confirmed

    def write(self, data: bytes) -> None:
        """Append `data`. Blocks while earlier parts are still on their way.

        Raises:
            StorageError: an earlier part could not be stored.
            UploadTooLarge: the run has no number left.
        """
        for pieces in self._cutter.feed(data):
            if self._held:
                self._send(self._held)
            self._held = pieces

    def finish(self) -> list[Part]:
        """Send what is left, and return all parts, once the store has confirmed them.

        Raises:
            ValueError: the whole run is shorter than a part may be.
            StorageError: a part could not be stored.
        """
        rest = self._cutter.take()
        left = sum(map(len, rest))
        if self._held and left < self._least_bytes:
            rest = [*self._held, *rest]
        elif self._held:
            self._send(self._held)
        self._held = []
        if sum(map(len, rest)) < self._least_bytes:
            raise ValueError("a part that others follow is too short")
        self._send(rest)
        return self._sender.finish()

    def _send(self, pieces: Pieces) -> None:
        if self._sender.count == self._most:
            raise UploadTooLarge(f"A part of the file needs more than {self._most:,} parts.")
        self._sender.submit(pieces)
