"""Zip stream: a zip archive written front to back from compressed blocks.

Each call returns the bytes to append; nothing is kept but the directory. Entries hold less
than 4 GiB each, so no entry needs ZIP64, which Excel refuses in some places and Windows in
others. Only the archive as a whole may pass 4 GiB, and only where `zip64` allows it.
Numbers are those of PKWARE's APPNOTE 6.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from waybill.exporter.blocks.block import DEFLATE_END, Block, Checksum
from waybill.exporter.errors import LimitExceeded

#: Records of a zip: before an entry, and of it in the directory.
LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = struct.Struct("<4s3L")
CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_ZIP64_OFFSET = struct.Struct("<2HQ")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")

_DEFLATED = 8
_VERSION = 20
_VERSION_ZIP64 = 45
SIZES_FOLLOW = 0x08
NAME_IS_UTF8 = 0x800
#: 1980-01-01 00:00, the earliest date a zip can hold: same rows, same bytes.
TIME, DATE = 0, 0x21
#: Largest length or offset a plain zip field holds; the all-ones value means "see ZIP64".
MAX_PLAIN = 0xFFFF_FFFE
_MAX_ENTRIES = 0xFFFE

#: Name, offset in the fragment, flags, CRC-32 and length of the raw bytes, length in the archive.
FragmentEntry = tuple[str, int, int, int, int, int]


def fragment_entry(name: str, *numbers: int) -> FragmentEntry:
    """An entry that was written as JSON in between."""
    offset, flags, crc32, raw_bytes, length = numbers
    return name, offset, flags, crc32, raw_bytes, length


@dataclass(slots=True)
class _Entry:
    name: bytes
    offset: int
    flags: int
    raw: Checksum = field(default_factory=Checksum)
    length: int = 0


class ZipStream:
    """Writes one archive. Call `open`, `add` …, `close` for each entry, then `finish`."""

    def __init__(self, *, zip64: bool = False) -> None:
        """With `zip64`, the archive may pass 4 GiB; each entry still may not."""
        self._zip64 = zip64
        #: Of everything returned so far. For blocks it is computed from their own checksums.
        self.checksum = Checksum()
        self._done: list[_Entry] = []
        self._names: set[str] = set()
        self._open: _Entry | None = None

    @classmethod
    def behind(
        cls,
        fragments: Iterable[tuple[Checksum, Sequence[FragmentEntry]]],
        *,
        zip64: bool = False,
    ) -> ZipStream:
        """The end of an archive that others have begun, one after the other.

        Of each fragment the checksum and `entries` are given.
        """
        archive = cls(zip64=zip64)
        for checksum, entries in fragments:
            for entry in entries:
                archive._done.append(_restored(entry, archive.checksum.size_bytes))
                archive._names.add(entry[0].casefold())
            archive.checksum += checksum
        return archive

    def reopen(self, entry: FragmentEntry) -> None:
        """Go on in the entry that was open, where another process has written up to here."""
        self._open = _restored(entry)
        self._names.add(entry[0].casefold())

    @property
    def entries(self) -> list[FragmentEntry]:
        """What the directory will say of all entries so far, for `behind`."""
        return [_described(entry) for entry in self._done]

    @property
    def open_entry(self) -> FragmentEntry | None:
        """The open entry as far as it is written, for `reopen`."""
        return None if self._open is None else _described(self._open)

    def file(self, name: str, data: bytes) -> bytes:
        """A whole small entry, its lengths in front so that any reader can skip it."""
        block = Block.of(data)
        entry = self._entry(name, NAME_IS_UTF8)
        body = block.data + DEFLATE_END
        entry.raw, entry.length = block.raw, len(body)
        self._done.append(entry)
        return self._emit(_local_header(entry) + body)

    def open(self, name: str) -> bytes:
        """Begin an entry whose length is not known yet."""
        self._open = self._entry(name, NAME_IS_UTF8 | SIZES_FOLLOW)
        return self._emit(_local_header(self._open))

    def add(self, block: Block) -> bytes:
        """Append a block to the open entry."""
        entry = self._current()
        entry.raw += block.raw
        entry.length += block.packed.size_bytes
        if max(entry.raw.size_bytes, entry.length) > MAX_PLAIN:
            raise LimitExceeded("One file inside the archive would pass 4 GiB.")
        self.checksum += block.packed
        return block.data

    def close(self) -> bytes:
        """End the open entry."""
        entry = self._current()
        entry.length += len(DEFLATE_END)
        self._done.append(entry)
        self._open = None
        return self._emit(
            DEFLATE_END
            + _DESCRIPTOR.pack(b"PK\x07\x08", entry.raw.crc32, entry.length, entry.raw.size_bytes)
        )

    def finish(self) -> bytes:
        """The directory: the last bytes of the archive."""
        if self._open is not None:
            raise RuntimeError("an entry is still open")
        start = self.checksum.size_bytes
        directory = b"".join(_central_header(entry) for entry in self._done)
        if start + len(directory) > MAX_PLAIN and not self._zip64:
            raise LimitExceeded("The file would pass 4 GiB, which this format cannot hold.")
        return self._emit(directory + archive_end(len(self._done), len(directory), start))

    def _entry(self, name: str, flags: int) -> _Entry:
        if self._open is not None:
            raise RuntimeError("the entry before is still open")
        if name.casefold() in self._names:
            raise ValueError(f"two entries called {name!r}")
        if len(self._done) >= _MAX_ENTRIES:
            raise LimitExceeded("The archive would hold more than 65,534 files.")
        if self.checksum.size_bytes > MAX_PLAIN and not self._zip64:
            raise LimitExceeded("The file would pass 4 GiB, which this format cannot hold.")
        self._names.add(name.casefold())
        return _Entry(name.encode(), self.checksum.size_bytes, flags)

    def _current(self) -> _Entry:
        if self._open is None:
            raise RuntimeError("no entry is open")
        return self._open

    def _emit(self, data: bytes) -> bytes:
        self.checksum += Checksum.of(data)
        return data


def _described(entry: _Entry) -> FragmentEntry:
    return (
        entry.name.decode(),
        entry.offset,
        entry.flags,
        entry.raw.crc32,
        entry.raw.size_bytes,
        entry.length,
    )


def _restored(described: FragmentEntry, behind: int = 0) -> _Entry:
    name, offset, flags, crc32, raw_bytes, length = described
    return _Entry(name.encode(), behind + offset, flags, Checksum(raw_bytes, crc32), length)


def _local_header(entry: _Entry) -> bytes:
    return (
        LOCAL.pack(
            b"PK\x03\x04",
            _VERSION,
            entry.flags,
            _DEFLATED,
            TIME,
            DATE,
            entry.raw.crc32,
            entry.length,
            entry.raw.size_bytes,
            len(entry.name),
            0,
        )
        + entry.name
    )


def _central_header(entry: _Entry) -> bytes:
    far = entry.offset > MAX_PLAIN
    extra = _ZIP64_OFFSET.pack(1, 8, entry.offset) if far else b""
    version = _VERSION_ZIP64 if far else _VERSION
    return (
        CENTRAL.pack(
            b"PK\x01\x02",
            version,
            version,
            entry.flags,
            _DEFLATED,
            TIME,
            DATE,
            entry.raw.crc32,
            entry.length,
            entry.raw.size_bytes,
            len(entry.name),
            len(extra),
            0,
            0,
            0,
            0,
            0xFFFF_FFFF if far else entry.offset,
        )
        + entry.name
        + extra
    )


def archive_end(count: int, length: int, start: int) -> bytes:
    """What follows the directory of `count` entries, which begins at `start` in the archive."""
    plain = _END.pack(b"PK\x05\x06", 0, 0, count, count, length, min(start, 0xFFFF_FFFF), 0)
    if start <= MAX_PLAIN:
        return plain
    record = _ZIP64_END.pack(
        b"PK\x06\x06", 44, _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, count, count, length, start
    )
    return record + _ZIP64_LOCATOR.pack(b"PK\x06\x07", 0, start + length, 1) + plain
