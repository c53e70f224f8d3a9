"""The ``parquet`` format, streamed: one row group after the other, and the footer last.

The Arrow schema is kept, metadata included; names are made unique, as readers that fold
case demand. Decimals a source sent as text stay text. Without its footer a Parquet file
cannot be opened, so a file whose source failed midway does not pass as complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.blocks.parallel import map_ordered
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.labels import count_renamed, unique_labels
from waybill.exporter.rows.batch_cuts import Cut, regroup
from waybill.exporter.rows.seals import RowOrder
from waybill.exporter.values.arrow_conversions import for_parquet
from waybill.exporter.warning_rules import WarningRule, Warnings

#: Rows of a row group, near what DuckDB and Spark expect to hand to one thread.
GROUP_ROWS = 131_072
#: Arrow bytes of a row group where rows are wide; two groups are in memory at a time.
GROUP_BYTES = 32 << 20

#: For a million rows of the benchmark on one core: zstd with delta-coded integers and dates
#: 0.22 s and 25.6 MB; all plain 0.25 s and 30.6 MB; with dictionaries, PyArrow's default,
#: 0.49 s and 44.7 MB; snappy instead of zstd 0.16 s and 34.1 MB. (Measured.)
_COMPRESSION = "zstd"
_DELTA = "DELTA_BINARY_PACKED"


def encode_parquet(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
) -> Generator[bytes, None, None]:
    """The encoder of Parquet files."""
    if not schema.names:
        raise LimitExceeded("A table without columns cannot be exported.")
    stored = _stored_schema(schema, layout.timezone)
    tally.warnings.update(count_renamed(schema.names, stored.names))
    pipe = _Pipe()
    writer = pq.ParquetWriter(
        pipe,
        stored,
        compression=_COMPRESSION,
        use_dictionary=False,
        column_encoding={field.name: _DELTA for field in stored if _is_delta_coded(field.type)},
    )

    def write(cut: Cut) -> _Written:
        group, changes = _as_stored(cut.open(), stored, layout.timezone)
        writer.write_table(group, row_group_size=GROUP_ROWS)
        return _Written(cut.first_row, group.num_rows, pipe.take(), changes)

    order = RowOrder()
    cuts = regroup(batches, rows=GROUP_ROWS, max_bytes=GROUP_BYTES)
    # The next group is read while one is written.
    with closing(map_ordered(write, cuts, threads=1)) as groups:
        for group in groups:
            order.follow(group.first_row, group.rows)
            tally.warnings.update(group.warnings)
            tally.rows += group.rows
            yield group.data
    writer.close()
    footer = pipe.take()
    tally.rows = pq.read_metadata(pa.BufferReader(footer)).num_rows
    yield footer
    tally.file = pipe.checksum


@dataclass(frozen=True, slots=True)
class _Written:
    """A row group as bytes of the file."""

    first_row: int
    rows: int
    data: bytes
    warnings: Warnings


class _Pipe:
    """The file that PyArrow writes to; `take` returns its bytes as they come."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        #: Of everything written.
        self.checksum = Checksum()

    def write(self, data: bytes) -> None:
        self._chunks.append(data)
        self.checksum += Checksum.of(data)

    def tell(self) -> int:
        return self.checksum.size_bytes

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def _stored_schema(schema: pa.Schema, zone: ZoneInfo) -> pa.Schema:
    fields = [
        field.with_name(name).with_type(for_parquet(pa.chunked_array([], field.type), zone).type)
        for field, name in zip(schema, unique_labels(schema.names), strict=True)
    ]
    return pa.schema(fields, schema.metadata)


def _as_stored(table: pa.Table, stored: pa.Schema, zone: ZoneInfo) -> tuple[pa.Table, Warnings]:
    arrays = [for_parquet(array, zone) for array in table.columns]
    warnings = Counter(
        {
            (name, WarningRule.TYPE_AS_TEXT): before.length() - before.null_count
            for before, after, name in zip(table.columns, arrays, stored.names, strict=True)
            if after.type == pa.large_string() != before.type
        }
    )
    return pa.Table.from_arrays(arrays, schema=stored), warnings


def _is_delta_coded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_temporal(kind))
