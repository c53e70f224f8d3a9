"""Base classes of everything that is written: whole and verified on the clean exit, or not at all.

`AtomicWriter` is the life of one writing, to a local file or a store; `PartUpload` adds the
parts of an object in a store. Subclasses say only how bytes travel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from waybill.storage.errors import ChecksumMismatch
from waybill.storage.parts import Part, PartCutter, whole_of
from waybill.storage.store import StoredObject


class AtomicWriter(ABC):
    """Entered once and written to; its clean exit publishes, any other one discards."""

    #: What `ChecksumMismatch` calls the bytes that are not the expected ones.
    _SUBJECT = "What was written is"

    def __init__(self) -> None:
        #: Length and CRC-32, once `expect` was called.
        self._expected: tuple[int, int] | None = None
        #: Set by the first error: after it no path leads to publication.
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._begin()
        return self

    def write(self, data: bytes) -> None:
        """Append `data`; see `waybill.storage.store.Upload.write`."""
        if self._failure is not None:
            raise self._failure
        try:
            self._append(data)
        except BaseException as error:
            self._failure = error
            raise

    def expect(self, size_bytes: int, crc32: int) -> None:
        """State what the whole has to be; see `waybill.storage.store.Upload.expect`."""
        self._expected = (size_bytes, crc32)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                self._discard()
                return
            try:
                if self._failure is not None:
                    raise self._failure
                self._publish()
            except BaseException:
                self._discard()
                raise
        finally:
            self._failure = RuntimeError("the upload has ended")

    def _check_expected(self, size_bytes: int, crc32: int) -> None:
        if self._expected not in {None, (size_bytes, crc32)}:
            raise ChecksumMismatch(f"{self._SUBJECT} not the file that was rendered.")

    @abstractmethod
    def _begin(self) -> None:
        """Open what is written to."""

    @abstractmethod
    def _append(self, data: bytes) -> None:
        """Take `data` in."""

    @abstractmethod
    def _publish(self) -> None:
        """Verify with `_check_expected`, and make the whole visible."""

    @abstractmethod
    def _discard(self) -> None:
        """Leave nothing behind. Called after any error, one of `_publish` included."""


class PartUpload(AtomicWriter):
    """An `Upload` in equal parts; see `waybill.storage.store.Upload`."""

    _SUBJECT = "The parts in the store are"

    def __init__(self, key: str, part_bytes: int) -> None:
        super().__init__()
        self.key = key
        self._cutter = PartCutter(part_bytes)
        self._parts_sent = 0
        self._upload_id: str | None = None
        self._stored: StoredObject | None = None

    @property
    def upload_id(self) -> str:
        """The store's name for this upload."""
        if self._upload_id is None:
            raise RuntimeError("the upload has not begun")
        return self._upload_id

    @property
    @abstractmethod
    def bytes_uploaded(self) -> int:
        """Bytes the store has confirmed."""

    @property
    def stored(self) -> StoredObject:
        """The finished object."""
        if self._stored is None:
            raise RuntimeError("the upload is not complete")
        return self._stored

    def _begin(self) -> None:
        """Begin the upload in the store."""
        self._upload_id = self._open()

    def _append(self, data: bytes) -> None:
        for pieces in self._cutter.feed(data):
            self._send(pieces)

    def _publish(self) -> None:
        rest = self._cutter.take()
        if rest or not self._parts_sent:
            self._send(rest)
        parts = self._confirmed_parts()
        self._check_expected(*whole_of(parts))
        self._stored = self._complete(parts)

    def _send(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._send_part(pieces)
        self._parts_sent += 1

    @abstractmethod
    def _open(self) -> str:
        """Begin the upload in the store, and return its name there."""

    @abstractmethod
    def _send_part(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Send the next part. It may still be under way on return."""

    @abstractmethod
    def _confirmed_parts(self) -> list[Part]:
        """Every part, in order, once the store has confirmed the last."""

    @abstractmethod
    def _complete(self, parts: Sequence[Part]) -> StoredObject:
        """Make the object of `parts` visible, and return it."""
