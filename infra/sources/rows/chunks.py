"""Batches of rows that are known to be small: about a thousand at once from the driver to Arrow.

Half as many rows cost the same time for each, 32 cost 1.6 times as much, and from 2,000 on Python's
garbage collector looks at them more than once (measured, ten columns).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS
from waybill.infra.sources.rows.columns import Row, RowColumn, arrays_of

#: Fewer rows of wide tables: the cells of a thousand rows of ten columns.
_CELLS_AT_ONCE = 10_000
_ROWS_AT_ONCE = 1_000
_FIRST_STEP = 16

#: What the rows of one call to the driver may take, by those of the call before.
_BYTES_AT_ONCE = MAX_BYTES // 8


def chunked_batches(
    fetch: Callable[[int], Sequence[Row]],
    columns: Sequence[RowColumn],
    made_text: Counter[int],
) -> Iterator[pa.RecordBatch]:
    """Batches of at most `MAX_ROWS` rows, closed when they have taken about `MAX_BYTES`.

    ``fetch(n)`` returns up to `n` more rows, and nothing at the end. It must never return a row
    that is much larger than ``_BYTES_AT_ONCE`` divided by a thousand: their sizes are known
    only once all of them are there. `made_text` as in `rows.columns.batches`.
    """
    schema = pa.schema([column.field for column in columns])
    most = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // max(len(columns), 1)))
    chunks: list[list[pa.Array]] = []
    rows = size = 0
    step = min(_FIRST_STEP, most)
    while fetched := fetch(min(step, MAX_ROWS - rows)):
        arrays = arrays_of(zip(*fetched, strict=True), columns, made_text)
        count, taken = len(fetched), sum(array.nbytes for array in arrays)
        del fetched
        chunks.append(arrays)
        rows += count
        size += taken
        step = max(1, min(2 * step, most, count * _BYTES_AT_ONCE // max(taken, 1)))
        if rows >= MAX_ROWS or size >= MAX_BYTES:
            yield _joined(chunks, schema)
            chunks, rows, size = [], 0, 0
    if chunks:
        yield _joined(chunks, schema)


def _joined(chunks: list[list[pa.Array]], schema: pa.Schema) -> pa.RecordBatch:
    if len(chunks) == 1:
        return pa.RecordBatch.from_arrays(chunks[0], schema=schema)
    arrays = [pa.concat_arrays(list(parts)) for parts in zip(*chunks, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
