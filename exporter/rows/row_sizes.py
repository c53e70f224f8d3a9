"""Row sizes: a row that memory has no room for is an error, before any encoder copies it."""

from __future__ import annotations

import pyarrow as pa

from waybill.exporter.errors import RowTooLarge
from waybill.exporter.rows.seals import first_row_of

_MIB = 1 << 20


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
