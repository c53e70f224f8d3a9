"""Column bytes: what no text of a column can have, found in the one buffer of all of them.

A search in each value costs as much as writing it. Most columns hold nothing that needs care, and
their bytes prove it at the speed of memory; it pays from `WORTHWHILE_ROWS` on.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

#: With fewer rows, to search each value takes less time than the steps here. (Measured.)
WORTHWHILE_ROWS = 8_192

_OFFSETS = {pa.string(): pa.int32(), pa.large_string(): pa.int64()}


class ColumnBytes:
    """The texts of one column, in UTF-8. It must be of strings: see `is_text`."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        # Each step has a cost of its own, about that of copying 100,000 bytes.
        whole = column.combine_chunks()
        chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        self._chunks = [_starts_and_bytes(chunk) for chunk in chunks if len(chunk)]

    def may_have(self, byte: bytes) -> bool:
        """Whether a text may hold this ASCII character. Where it does not, none has it."""
        return any((data == byte[0]).any() for _, data in self._chunks)

    def may_begin(self, first: pl.Series) -> bool:
        """Whether a text may begin with a byte for which `first` is true, by its number."""
        return any(
            first.gather(data.gather(starts)).any() for starts, data in self._chunks if len(data)
        )


def is_text(kind: pa.DataType) -> bool:
    """Whether the texts of such a column are one behind the other in its buffer."""
    return kind in _OFFSETS


def first_bytes(numbers: Iterable[int]) -> pl.Series:
    """For `ColumnBytes.may_begin`: true for these bytes."""
    wanted = set(numbers)
    return pl.Series([number in wanted for number in range(256)])


def _starts_and_bytes(chunk: pa.Array) -> tuple[pl.Series, pl.Series]:
    """Where in its bytes each text begins. A null is as an empty text, and begins with the next."""
    _, offsets, data = chunk.buffers()
    places = pl.Series(
        pa.Array.from_buffers(
            _OFFSETS[chunk.type], len(chunk) + 1, [None, offsets], offset=chunk.offset
        )
    )
    begin, end = places[0], places[-1]
    if data is None or begin == end:
        return pl.Series([], dtype=pl.UInt32), pl.Series([], dtype=pl.UInt8)
    held = pa.Array.from_buffers(pa.uint8(), end - begin, [None, data], offset=begin)
    starts = (places[:-1] - begin).cast(pl.UInt32)
    if places[-2] == end:
        # Empty texts at the end begin nowhere.
        starts = starts.filter(starts < end - begin)
    return starts, pl.Series(held)
