"""The ``parquet`` format, streamed: one row group after the other, and the footer last.

The Arrow schema is kept, metadata included; names are made unique, as readers that fold
case demand. Decimals a source sent as text stay text. Without its footer a Parquet file
cannot be opened, so a file whose source failed midway does not pass as complete.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.blocks.parallel import map_ordered
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.formats.parquet_profiles import COMPATIBLE, NEWEST_VERSION, ParquetProfile
from waybill.exporter.labels import count_renamed, unique_labels
from waybill.exporter.rows.batch_cuts import Cut, regroup
from waybill.exporter.rows.seals import RowOrder
from waybill.exporter.values.arrow_conversions import for_parquet
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_kind
from waybill.exporter.values.declared_values import invalid_json
from waybill.exporter.values.json_values import json_string
from waybill.exporter.warning_rules import WarningRule, Warnings, listed

#: Rows of a row group, near what DuckDB and Spark expect to hand to one thread.
GROUP_ROWS = 131_072
#: Arrow bytes of a row group where rows are wide; two groups are in memory at a time.
GROUP_BYTES = 32 << 20

_DELTA = "DELTA_BINARY_PACKED"

#: Field metadata that names the warning which every value of a column is counted under.
RULE_KEY = b"waybill.rule"
#: File metadata with all warnings, as a task has them.
WARNINGS_KEY = "waybill.warnings"
#: File metadata that names the reader, where the dataset asks for it.
WATERMARK_KEY = "waybill.watermark"


def parquet_encoder(profile: ParquetProfile = COMPATIBLE) -> Encode:
    """The encoder of Parquet files in `profile`."""

    def encode_parquet(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        return _encode(schema, batches, layout, tally, profile)

    return encode_parquet


def _encode(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    layout: Layout,
    tally: Tally,
    profile: ParquetProfile,
) -> Generator[bytes, None, None]:
    if not schema.names:
        raise LimitExceeded("A table without columns cannot be exported.")
    stored = _stored_schema(schema, layout)
    tally.warnings.update(count_renamed(schema.names, stored.names))
    pipe = _Pipe()
    writer = pq.ParquetWriter(
        pipe,
        stored,
        version=NEWEST_VERSION
        if any(_has_nanoseconds(field.type) for field in stored)
        else profile.version,
        compression=profile.compression,
        use_dictionary=False,
        column_encoding={
            field.name: _DELTA
            for field in stored
            if profile.codes_deltas and _is_delta_coded(field.type)
        },
    )

    def write(cut: Cut) -> _Written:
        group, changes = _as_stored(cut.open(), schema, stored, layout.timezone)
        writer.write_table(group, row_group_size=GROUP_ROWS)
        return _Written(cut.first_row, group.num_rows, pipe.take(), changes)

    order = RowOrder()
    cuts = regroup(batches, rows=GROUP_ROWS, max_bytes=GROUP_BYTES)
    # The next group is read while one is written.
    with closing(
        map_ordered(write, cuts, threads=1, is_large=lambda cut: cut.exceeds(GROUP_BYTES))
    ) as groups:
        for group in groups:
            order.follow(group.first_row, group.rows)
            tally.warnings.update(group.warnings)
            tally.rows += group.rows
            yield group.data
    if layout.watermark:
        writer.add_key_value_metadata({WATERMARK_KEY: layout.watermark_text})
    if tally.warnings:
        writer.add_key_value_metadata({WARNINGS_KEY: _warnings_json(tally.warnings)})
    writer.close()
    footer = pipe.take()
    tally.rows = pq.read_metadata(pa.BufferReader(footer)).num_rows
    yield footer
    tally.file = pipe.checksum


def parquet_columns(schema: pa.Schema, layout: Layout) -> list[dict[str, str]]:
    """The columns of a file, with their Arrow types."""
    stored = _stored_schema(schema, layout)
    return [{"name": field.name, "type": str(field.type)} for field in stored]


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
        """Nothing to do: `write` keeps nothing back."""

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


def _stored_schema(schema: pa.Schema, layout: Layout) -> pa.Schema:
    names = unique_labels(map(layout.key, schema.names))
    fields = [
        _stored_field(field.with_name(name), layout.timezone)
        for field, name in zip(schema, names, strict=True)
    ]
    return pa.schema(fields, schema.metadata)


def _stored_field(field: pa.Field, zone: ZoneInfo) -> pa.Field:
    declared = declared_kind(field)
    if declared is DeclaredKind.JSON:
        return field.with_type(pa.json_(pa.large_string()))
    if declared is not None:
        return field.with_metadata({**(field.metadata or {}), RULE_KEY: WarningRule.TYPE_AS_TEXT})
    return field.with_type(for_parquet(pa.chunked_array([], field.type), zone).type)


def _as_stored(
    table: pa.Table, schema: pa.Schema, stored: pa.Schema, zone: ZoneInfo
) -> tuple[pa.Table, Warnings]:
    arrays = []
    warnings: Warnings = Counter()
    for before, field, target in zip(table.columns, schema, stored, strict=True):
        declared = declared_kind(field)
        if declared is DeclaredKind.JSON:
            after, changed = _json(before)
        else:
            after = before if declared else for_parquet(before, zone)
            as_text = declared or after.type == pa.large_string() != before.type
            changed = before.length() - before.null_count if as_text else 0
        arrays.append(after)
        if changed:
            warnings[target.name, WarningRule.TYPE_AS_TEXT] += changed
    return pa.Table.from_arrays(arrays, schema=stored), warnings


def _json(array: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """JSON text as the logical type, and how many values are none: those become JSON strings."""
    texts = pl.Series(array.cast(pa.large_string()))
    wrong = invalid_json(texts)
    count = int(wrong.sum())
    if count:
        places = wrong.arg_true()
        texts = texts.scatter(places, [json_string(text) for text in texts.gather(places)])
    storage = texts.to_arrow().cast(pa.large_string())
    return pa.chunked_array(
        [pa.ExtensionArray.from_storage(pa.json_(pa.large_string()), storage)]
    ), count


def _warnings_json(warnings: Warnings) -> str:
    return json.dumps(listed(warnings), ensure_ascii=False)


def _has_nanoseconds(kind: pa.DataType) -> bool:
    """Whether values of `kind` may need a timestamp that the first version of Parquet lacks."""
    inner = any(_has_nanoseconds(kind.field(index).type) for index in range(kind.num_fields))
    counts = pa.types.is_timestamp(kind) or pa.types.is_time(kind)
    return inner or bool(counts and kind.unit == "ns")


def _is_delta_coded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_temporal(kind))
