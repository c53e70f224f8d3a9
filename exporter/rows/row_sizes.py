"""Row sizes: how many bytes each row takes, the same in any batch.

A row that memory has no room for is an error, before any encoder copies it.
"""

from __future__ import annotations

from functools import cached_property

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from waybill.exporter.errors import RowTooLarge
from waybill.exporter.rows.seals import first_row_of

_MIB = 1 << 20


class RowSizes:
    """How many bytes the rows of a batch take, measured at the first question.

    Only values count, in whole bytes a row, and no bitmap or padding, which depend on where a batch
    begins and ends. So it is never more than the ``nbytes`` of the batch.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch

    def between(self, start: int, stop: int) -> int:
        """Bytes of the rows from `start` to before `stop`."""
        return self._before(stop) - self._before(start)

    def rows_within(self, start: int, max_bytes: int) -> int:
        """How many rows from `start` on take no more than `max_bytes`."""
        last = self._ends.search_sorted(self._before(start) + max_bytes, side="right")
        return max(0, last - start)

    def _before(self, row: int) -> int:
        return int(self._ends[row - 1]) if row else 0

    @cached_property
    def _ends(self) -> pl.Series:
        columns = self._batch.columns
        fixed = sum(map(_bits_of, columns)) // 8
        sizes = pl.repeat(fixed, self._batch.num_rows, dtype=pl.Int64, eager=True)
        for column in columns:
            if any(is_of(column.type) for is_of in _OF_ANY_LENGTH):
                lengths = pc.fill_null(pc.binary_length(column), 0)
                sizes += pl.Series(lengths).cast(pl.Int64)
        return sizes.cum_sum()


def _bits_of(column: pa.Array) -> int:
    """What each value takes beside its bytes of any length."""
    if types.is_null(column.type):
        return 0
    if any(is_of(column.type) for is_of in _OF_ANY_LENGTH):
        return 64 if any(is_of(column.type) for is_of in _LARGE) else 32
    try:
        return int(column.type.bit_width)
    except ValueError:
        # Nested, or a view: no source that is read from the middle has such columns.
        return int(8 * column.nbytes // max(1, len(column)))


_LARGE = (types.is_large_string, types.is_large_binary)
_OF_ANY_LENGTH = (*_LARGE, types.is_string, types.is_binary)


def check_rows(batch: pa.RecordBatch, max_bytes: int) -> None:
    """Refuse a sealed batch that has a row of more than `max_bytes` of Arrow data.

    Costs nothing for a batch that is smaller as a whole, which all but a few are.

    Raises:
        RowTooLarge: it names the row, counted from 1 in the result, and its largest column.
    """
    # Of whole buffers: for a slice of a larger batch it is too much, and never too little.
    if batch.get_total_buffer_size() <= max_bytes:
        return
    row = _first_larger(batch, 0, batch.num_rows, max_bytes)
    if row is None:
        return
    values = batch.slice(row, 1)
    sizes = [column.nbytes for column in values.columns]
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    raise RowTooLarge(
        f"Row {first_row_of(batch) + row + 1:,} takes {_in_mib(values.nbytes)}, and a row may take "
        f"{_in_mib(max_bytes)}. Its largest value is {_in_mib(sizes[largest])} in the column "
        f"{batch.schema.names[largest]!r}."
    )


def _first_larger(batch: pa.RecordBatch, start: int, stop: int, max_bytes: int) -> int | None:
    if batch.slice(start, stop - start).nbytes <= max_bytes:
        return None
    if stop - start == 1:
        return start
    middle = (start + stop) // 2
    first = _first_larger(batch, start, middle, max_bytes)
    return first if first is not None else _first_larger(batch, middle, stop, max_bytes)


def _in_mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:,.1f} MiB"
