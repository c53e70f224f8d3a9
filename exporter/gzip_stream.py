"""A gzip file (RFC 1952) written front to back from blocks that are already compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from exporter.blocks import DEFLATE_END, Block

#: Magic, deflate, no flags, no time, no extra flags, unknown system: same rows, same bytes.
_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
_TRAILER = struct.Struct("<2L")
_LENGTH_MODULUS = 1 << 32


def gzip_file(blocks: Iterable[Block]) -> Iterator[bytes]:
    """Yield one gzip member. Its trailer, which readers check, comes after the last block.

    The length field wraps at 4 GiB as the format demands; the CRC still covers everything.
    """
    yield _HEADER
    done = Block(0, 0, 0, b"")
    for block in blocks:
        yield block.data
        done += Block(0, block.raw_length, block.crc32, b"")
    yield DEFLATE_END + _TRAILER.pack(done.crc32, done.raw_length % _LENGTH_MODULUS)
