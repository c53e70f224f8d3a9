"""Seals: proof that rows reach the renderer as they left the cursor.

The seal of a batch is the number of its first row in the result and the CRC-32 of its content. The
source makes it. The seal travels in the batch's own metadata, so nothing in between needs to know
of it, or can lose, repeat, swap or change rows unnoticed. Of dictionary-encoded columns it covers
the indices only; no source makes such columns.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from isal import isal_zlib

from waybill.exporter.errors import IncompleteExport

_KEY = b"waybill.seal"
#: Batches from this size on hold few rows, and large ones.
_LARGE_BYTES = 8 << 20

#: First row and CRC-32.
_SEAL = struct.Struct("<QL")


class RowOrder:
    """Checks that runs of rows follow one another: no gap, no repeat, no change of place.

    Totals are compared elsewhere (`exporter/run.py`).
    """

    def __init__(self, first_row: int | None = None) -> None:
        """Without `first_row`, the sequence may begin anywhere."""
        self._next = first_row

    def follow(self, first_row: int, rows: int) -> None:
        """Accept the next run.

        Raises:
            IncompleteExport: it does not begin where the previous run ended.
        """
        if self._next not in {None, first_row}:
            raise IncompleteExport(
                f"Row {self._next:,} was to come next, and row {first_row:,} came."
            )
        self._next = first_row + rows


def sealed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`batches`, the whole of a result in order, each with its seal."""
    first_row = 0
    for batch in batches:
        yield _seal(batch, first_row)
        first_row += batch.num_rows
        # Given back before the next is made: a single row may be as large as all else.
        del batch


def first_row_of(batch: pa.RecordBatch) -> int:
    """Where in the result `batch` claims to begin.

    Raises:
        IncompleteExport: it has no seal.
    """
    return _read(batch)[0]


def check_seal(batch: pa.RecordBatch) -> None:
    """Compare `batch` with its seal, at 10 GB/s.

    Raises:
        IncompleteExport: it was changed, or has no seal.
    """
    first_row, crc32 = _read(batch)
    if _crc32_of(batch) != crc32:
        raise IncompleteExport(f"Rows from {first_row:,} on were changed after they were read.")


def sealed_slice(batch: pa.RecordBatch, start: int, rows: int | None = None) -> pa.RecordBatch:
    """Some rows of a sealed batch, with a seal of their own, without copying.

    Raises:
        IncompleteExport: the batch was changed, or has no seal.
    """
    check_seal(batch)
    return _seal(batch.slice(start, rows), first_row_of(batch) + start)


def changed_batch(
    batch: pa.RecordBatch, arrays: Sequence[pa.Array], schema: pa.Schema
) -> pa.RecordBatch:
    """`arrays` in the place of a sealed batch, as many rows, with a seal of their own.

    Raises:
        IncompleteExport: the batch was changed, or has no seal.
    """
    check_seal(batch)
    changed = pa.RecordBatch.from_arrays(list(arrays), schema=schema)
    if changed.num_rows != batch.num_rows:
        raise IncompleteExport("Rows were lost as they were made ready to be shown.")
    return _seal(changed, first_row_of(batch))


def in_order(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`batches`, as long as each continues the one before.

    Raises:
        IncompleteExport: one is missing, repeated or out of place, or has no seal.
    """
    order = RowOrder()
    for batch in batches:
        order.follow(first_row_of(batch), batch.num_rows)
        yield batch
        del batch


def serialized_bytes(batch: pa.RecordBatch) -> int:
    """How long `batch` is as Arrow IPC, without its schema: at least what its values take.

    It takes a tenth of the time of ``nbytes``, which counts where there are many columns.
    """
    return int(pa.ipc.get_record_batch_size(batch))


def _seal(batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
    metadata = dict(batch.schema.metadata or {})
    metadata[_KEY] = _SEAL.pack(first_row, _crc32_of(batch))
    return batch.replace_schema_metadata(metadata)


def _read(batch: pa.RecordBatch) -> tuple[int, int]:
    record = (batch.schema.metadata or {}).get(_KEY)
    if record is None:
        raise IncompleteExport("Rows came without the seal they get when they are read.")
    first_row, crc32 = _SEAL.unpack(record)
    return first_row, crc32


def _crc32_of(batch: pa.RecordBatch) -> int:
    # Serialising leaves out what lies around a slice, and the metadata. Buffers are at least as
    # large, and measured in no time.
    if batch.get_total_buffer_size() < _LARGE_BYTES or serialized_bytes(batch) < _LARGE_BYTES:
        return int(isal_zlib.crc32(batch.serialize()))
    # Without a copy of all of it.
    content = _Crc32()
    with pa.ipc.new_stream(pa.PythonFile(content, mode="w"), batch.schema.remove_metadata()) as out:
        out.write_batch(batch.replace_schema_metadata(None))
    return content.value


class _Crc32(io.RawIOBase):
    """The CRC-32 of what is written to it."""

    value = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.value = int(isal_zlib.crc32(data, self.value))
        return len(data)
