"""The largest batch a source yields, in rows and bytes: the memory bound of an export."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

#: Encoders are fastest with batches of about this many rows (measured); unsliced driver
#: batches of 110,000 rows made a whole export peak at 988 MiB instead of 371 MiB.
MAX_ROWS = 16_384

#: A batch is closed once its values take this much. The row that crosses the line is still
#: in it, so a batch is at most this plus the rows the driver hands over at once.
MAX_BYTES = 1 << 20


def slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """`batch` in pieces of at most `MAX_ROWS`, without copying; nothing for an empty one."""
    for start in range(0, batch.num_rows, MAX_ROWS):
        yield batch.slice(start, MAX_ROWS)
