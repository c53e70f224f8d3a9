"""Gzip stream: a gzip file (RFC 1952) written front to back from compressed blocks."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable

from waybill.exporter.blocks.block import DEFLATE_END, Block, Checksum

#: Magic, deflate, no flags, no time, no extra flags, unknown system: same rows, same bytes.
GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
_TRAILER = struct.Struct("<2L")
_LENGTH_MODULUS = 1 << 32


def gzip_file(blocks: Iterable[Block]) -> Generator[bytes, None, Checksum]:
    """Yield one gzip member, and return the checksum of what was yielded.

    Its trailer, which readers check, comes after the last block. The length field wraps at
    4 GiB as the format demands; the CRC still covers everything.
    """
    raw, file = Checksum(), Checksum.of(GZIP_HEADER)
    yield GZIP_HEADER
    for block in blocks:
        raw += block.raw
        file += block.packed
        yield block.data
    end = gzip_end(raw)
    yield end
    return file + Checksum.of(end)


def gzip_end(raw: Checksum) -> bytes:
    """What follows the last block of a member whose uncompressed bytes are `raw`."""
    return DEFLATE_END + _TRAILER.pack(raw.crc32, raw.size_bytes % _LENGTH_MODULUS)
