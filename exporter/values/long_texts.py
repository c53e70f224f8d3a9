"""Long texts: a single value of many MiB, read in place and a piece at a time.

Each step of a conversion is made for a whole value, so a text of 100 MB would be there several
times. Its own bytes are one buffer, of which a piece can be looked at without a copy of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

#: Of a long text at once, and of what is compressed together.
PIECE_BYTES = 4 << 20

_KINDS = (pa.string(), pa.large_string())


class LongText:
    """One text, in UTF-8."""

    def __init__(self, array: pa.Array) -> None:
        """`array` is of `is_long`."""
        _, offsets, data = array.buffers()
        view = memoryview(offsets)
        places = view.cast("q") if array.type == pa.large_string() else view.cast("i")
        self._bytes = memoryview(data)[places[array.offset] : places[array.offset + 1]]

    @property
    def start(self) -> str:
        """As much as there is whole of the first piece."""
        return bytes(self._bytes[:PIECE_BYTES]).decode(errors="ignore")

    def pieces(self) -> Iterator[bytes]:
        """All of it, cut anywhere."""
        for at in range(0, len(self._bytes), PIECE_BYTES):
            yield bytes(self._bytes[at : at + PIECE_BYTES])

    def has(self, byte: bytes) -> bool:
        """Whether there is such a byte, which is no part of a longer character."""
        return any(byte in piece for piece in self.pieces())


def is_long(array: pa.Array) -> bool:
    """Whether `array`, of one value, is a text that is worth pieces."""
    return array.type in _KINDS and len(array) == 1 and bool(array.nbytes > PIECE_BYTES)


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """`parts` one after the other, in pieces of `PIECE_BYTES` or a part more."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held.clear()
            size = 0
    if held:
        yield b"".join(held)
