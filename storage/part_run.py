"""A run of parts: what one process writes of an upload that several processes share.

Parts have the numbers of the run. Every part of a run has at least 5 MiB, since parts of another
run follow; so has what precedes each place where the caller ends a part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from waybill.storage.errors import UploadTooLarge
from waybill.storage.part_sender import PartSender
from waybill.storage.parts import MIN_PART_BYTES, Part

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
        before: Sequence[Part] = (),
    ) -> None:
        """`before` are the first parts of the run, which another process has sent."""
        self._before = list(before)
        self._bytes_before = sum(part.size_bytes for part in before)
        self._part_bytes = part_bytes
        self._sender = PartSender(send, in_flight, first=first + len(before))
        self._most = most - len(before)
        self._least_bytes = 0 if is_last else MIN_PART_BYTES
        self._pieces: Pieces = []
        self._gathered = 0

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
        """Bytes the store has confirmed, those of parts before included."""
        return self._bytes_before + self._sender.bytes_confirmed

    def write(self, data: bytes) -> None:
        """Append `data`. Blocks while earlier parts are still on their way.

        Raises:
            StorageError: an earlier part could not be stored.
            UploadTooLarge: the run has no number left.
        """
        self._pieces.append(data)
        self._gathered += len(data)
        # What stays is enough for a part, so that one can end here.
        while self._gathered >= self._part_bytes + MIN_PART_BYTES:
            self._send(self._part_bytes)

    def end_part(self) -> list[Part]:
        """End a part here, and return all parts so far, once the store has confirmed them.

        Raises:
            ValueError: too few bytes were written since the last one.
            StorageError: a part could not be stored.
        """
        self._send_rest()
        return [*self._before, *self._sender.settle()]

    def finish(self) -> list[Part]:
        """End the last part, and return all parts, once the store has confirmed them.

        Raises:
            ValueError: the last part is shorter than one may be.
            StorageError: a part could not be stored.
        """
        self._send_rest()
        return [*self._before, *self._sender.finish()]

    def _send_rest(self) -> None:
        if self._gathered < self._least_bytes:
            raise ValueError("a part that others follow is too short")
        if self._gathered > self._part_bytes and self._gathered >= 2 * MIN_PART_BYTES:
            self._send(self._gathered // 2)
        self._send(self._gathered)

    def _send(self, size_bytes: int) -> None:
        if self._sender.count == self._most:
            raise UploadTooLarge(f"A part of the file needs more than {self._most:,} parts.")
        self._sender.submit(self._take(size_bytes))

    def _take(self, size_bytes: int) -> Pieces:
        taken: Pieces = []
        self._gathered -= size_bytes
        for at, piece in enumerate(self._pieces):
            if len(piece) > size_bytes:
                taken.append(memoryview(piece)[:size_bytes])
                self._pieces = [memoryview(piece)[size_bytes:], *self._pieces[at + 1 :]]
                return taken
            taken.append(piece)
            size_bytes -= len(piece)
        self._pieces = []
        return taken
