"""The arithmetic of a multipart object: part sizes, limits, and checksums of checksums."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isal import isal_zlib

MIB = 1 << 20
#: S3 refuses smaller parts, the last one excepted, and larger ones. (AWS, "Amazon S3
#: multipart upload limits".)
MIN_PART_BYTES = 5 * MIB
MAX_PART_BYTES = 5 << 30
#: Parts one object can have. (Same source.)
MAX_PARTS = 10_000

#: 8 MiB parts move 160 MB/s to a local store with two under way; three gain nothing.
_DEFAULT_PART_BYTES = 8 * MIB
#: An estimate may be half as much again too low, and still leave a tenth of the parts.
_ESTIMATE_MARGIN = 1.5
_PLANNED_PARTS = 9_000

_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Part:
    """A part the store has confirmed."""

    number: int
    size_bytes: int
    etag: str
    #: CRC-32 of its bytes, base64 of four bytes, big-endian.
    crc32: str
    #: Whether the store compared the checksum, and so wants it again on completion.
    crc32_confirmed: bool


def plan_part_bytes(expected_bytes: int | None) -> int:
    """Size of all parts but the last, so that the expected file fits with room to spare."""
    needed = int((expected_bytes or 0) * _ESTIMATE_MARGIN)
    whole_mib = -(-needed // (_PLANNED_PARTS * MIB))
    return min(MAX_PART_BYTES, max(_DEFAULT_PART_BYTES, whole_mib * MIB))


def least_part_bytes(part_bytes: int) -> int:
    """What a part that ends between two rows has at least, where others have `part_bytes`."""
    return max(MIN_PART_BYTES, part_bytes * 5 // 8)


def check_part_bytes(part_bytes: int) -> int:
    """Return `part_bytes` if S3 takes parts of that size.

    Raises:
        ValueError: it does not.
    """
    if not MIN_PART_BYTES <= part_bytes <= MAX_PART_BYTES:
        raise ValueError(f"parts have {MIN_PART_BYTES} to {MAX_PART_BYTES} bytes")
    return part_bytes


def crc32_of(data: bytes) -> str:
    """CRC-32 in S3's notation. Releases the GIL while it works."""
    return base64.b64encode(int(isal_zlib.crc32(data)).to_bytes(4, "big")).decode()


def composite_crc32(parts: Iterable[Part]) -> str:
    """The checksum S3 gives the whole object: that of the parts' checksums, and a count."""
    sums = [base64.b64decode(part.crc32) for part in parts]
    return f"{crc32_of(b''.join(sums))}-{len(sums)}"


def whole_of(parts: Iterable[Part]) -> tuple[int, int]:
    """Length and plain CRC-32 of the object that `parts` make, from theirs."""
    size_bytes = crc32 = 0
    for part in parts:
        size_bytes += part.size_bytes
        own = int.from_bytes(base64.b64decode(part.crc32), "big")
        crc32 = int(isal_zlib.crc32_combine(crc32, own, part.size_bytes))
    return size_bytes, crc32


def composite_etag(parts: Iterable[Part]) -> str | None:
    """The ETag most stores give the whole object, or None where parts have no MD5."""
    etags = [part.etag for part in parts]
    if not all(_MD5.fullmatch(etag) for etag in etags):
        return None
    digest = hashlib.md5(b"".join(map(bytes.fromhex, etags)), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(etags)}"


def expected_part(number: int, body: bytes) -> Part:
    """The part that `body` makes, for a store that cannot be asked any more."""
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Part(number, len(body), md5, crc32_of(body), False)


class PartCutter:
    """Cuts a stream into parts of equal size, without copying a byte.

    A part comes out as the list of its pieces, so that the sender can first wait for room and
    only then join them: the one copy that is made.
    """

    def __init__(self, part_bytes: int) -> None:
        self._part_bytes = part_bytes
        self._pieces: list[bytes | memoryview] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[list[bytes | memoryview]]:
        """Take `data` in, and yield each part that is full now."""
        rest = memoryview(data)
        while self._size + len(rest) >= self._part_bytes:
            room = self._part_bytes - self._size
            self._pieces.append(rest[:room])
            rest = rest[room:]
            yield self.take()
        if rest:
            self._pieces.append(data if len(rest) == len(data) else rest)
            self._size += len(rest)

    def take(self) -> list[bytes | memoryview]:
        """Hand out what is there, a full part or the last one; it may be empty."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        return pieces
