"""Blocks: runs of rows rendered and compressed on their own, ready to be joined.

A block's deflate data ends on a byte boundary with an empty stored block (a *full flush*,
RFC 1951 §3.2.4), and refers to nothing before its own first byte. So blocks made on
different cores, in any order, concatenate into one valid deflate stream, and the CRC-32
of the whole is combined from theirs without reading a byte again.
"""

from __future__ import annotations

from dataclasses import dataclass

from isal import isal_zlib

#: Raw deflate: no zlib or gzip header, since the zip or gzip container brings its own.
_RAW = -15

#: Level 1 of ISA-L: 25 M cells/s per core at a ratio of 0.16 on our rows; level 0 was no
#: faster and 27 % larger, zlib-ng's level 2 twice as slow for the same size. (Measured.)
_LEVEL = 1

#: The first bytes of a block are compressed on their own, which costs 9 bytes and no time. Where
#: ISA-L takes its usual way from the very first byte on, it puts one entry of its table of matches
#: at a place that it computes from a leftover register, which holds an address. Then one block in
#: some thousands misses a match: as valid, but with other bytes. (`.write_first_byte` in
#: igzip_icf_body_h1_gr_bt.asm of ISA-L 2.32.1; another routine does the last 16 bytes before a
#: flush, and has no such fault. It keeps its last 3 bytes out of the table, so 4 would do.)
_FIRST_BYTES = 8

#: An empty final block: ends a stream of full-flushed blocks. (RFC 1951 §3.2.3, BFINAL=1.)
DEFLATE_END = b"\x03\x00"

#: An empty stored block that is not the last one. (RFC 1951 §3.2.4)
_EMPTY_STORED = b"\x00\x00\x00\xff\xff"


@dataclass(frozen=True, slots=True)
class Checksum:
    """Length and CRC-32 of some bytes. Concatenates with others by `+`, as the bytes do."""

    size_bytes: int = 0
    crc32: int = 0

    @classmethod
    def of(cls, data: bytes | memoryview) -> Checksum:
        """Read `data` once, at 30 GB/s. Releases the GIL while it works."""
        return cls(len(data), isal_zlib.crc32(data))

    def __add__(self, other: Checksum) -> Checksum:
        """The checksum of both byte strings one after the other, without reading them again."""
        return Checksum(
            self.size_bytes + other.size_bytes,
            isal_zlib.crc32_combine(self.crc32, other.crc32, other.size_bytes),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file, compressed. Concatenates with others by `+`."""

    #: Data rows found in the uncompressed bytes; 0 for headers and the like.
    rows: int
    #: Of the uncompressed bytes.
    raw: Checksum
    #: Deflate data, ended by a full flush.
    data: bytes
    #: Of `data`, taken when it was made. Files are checked against it, never against `data`.
    packed: Checksum

    @classmethod
    def of(cls, raw: bytes | memoryview, rows: int = 0) -> Block:
        """Compress `raw`, which holds `rows` rows. Releases the GIL while it works.

        The same bytes make the same block, in any process.
        """
        deflate = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
        whole = memoryview(raw)
        pieces = [deflate.compress(whole[:_FIRST_BYTES])]
        if rest := whole[_FIRST_BYTES:]:
            pieces += [deflate.flush(isal_zlib.Z_SYNC_FLUSH), deflate.compress(rest)]
        data = b"".join([*pieces, deflate.flush(isal_zlib.Z_FULL_FLUSH)])
        return cls(rows, Checksum.of(raw), data, Checksum.of(data))

    def __add__(self, other: Block) -> Block:
        """Concatenate two blocks."""
        return Block(
            self.rows + other.rows,
            self.raw + other.raw,
            self.data + other.data,
            self.packed + other.packed,
        )


def padding(least_bytes: int) -> Block:
    """A block of no uncompressed bytes that is at least so long: readers pass over it."""
    data = _EMPTY_STORED * -(-least_bytes // len(_EMPTY_STORED))
    return Block(0, Checksum(), data, Checksum.of(data))
