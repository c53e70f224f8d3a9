"""Row marks: count the rows in finished bytes, by marks that no value can contain.

Whole-buffer comparisons take a few percent of what rendering the same bytes took. (Measured:
250 MB of XML in 20 ms.)
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

_LINE_FEED, _QUOTE = b'\n"'


def count_marks(raw: bytes | memoryview, mark: bytes) -> int:
    """How often `mark` occurs in `raw`. Each byte of it costs one more pass: keep it short."""
    places = max(0, len(raw) - len(mark) + 1)
    data = _bytes_of(raw)
    found = data.slice(0, places) == mark[0]
    for offset, byte in enumerate(mark[1:], 1):
        found &= data.slice(offset, places) == byte
    return int(found.sum())


def count_records(csv: bytes) -> int:
    """How many line feeds of `csv` end a record, and do not stand between quotes."""
    return RecordCount().add(csv)


class RecordCount:
    """Counts the records of CSV that comes in pieces."""

    def __init__(self) -> None:
        self._quotes = 0

    def add(self, piece: bytes) -> int:
        """How many line feeds of the next `piece` end a record.

        Those have an even number of quotes before them, doubled ones included (RFC 4180).
        """
        data = _bytes_of(piece)
        marks = data.filter((data == _LINE_FEED) | (data == _QUOTE))
        feeds = (marks == _LINE_FEED).arg_true()
        before = feeds - pl.int_range(len(feeds), dtype=pl.UInt32, eager=True) + self._quotes % 2
        self._quotes += len(marks) - len(feeds)
        return len(feeds) - int((before & 1).sum())


def _bytes_of(raw: bytes | memoryview) -> pl.Series:
    return pl.Series(pa.Array.from_buffers(pa.uint8(), len(raw), [None, pa.py_buffer(raw)]))
