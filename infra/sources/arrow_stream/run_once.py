"""Sessions of databases that give no snapshot of several statements: the query is run once.

One statement is consistent in itself. A count or a check by another one would be of another moment,
so there is none, and columns have the types that the driver announces with the rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from waybill.infra.sources.arrow_stream.columns import ArrowColumn
from waybill.infra.sources.arrow_stream.session import ArrowPlan, ArrowSession, Statement
from waybill.infra.sources.arrow_types import TIME, TIMESTAMP
from waybill.infra.sources.batches import MAX_ROWS

_TEXTS = {pa.large_string(), pa.string_view(), pa.null()}
_BYTES = {pa.large_binary(), pa.binary_view()}
_SMALL = {pa.int8(), pa.uint8()}

#: Types of Arrow that other types hold in full, and what they become.
_PLAIN: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...] = (
    (pa.types.is_dictionary, lambda kind: kind.value_type),
    (lambda kind: kind in _TEXTS, lambda kind: pa.string()),
    (lambda kind: kind in _BYTES or pa.types.is_fixed_size_binary(kind), lambda kind: pa.binary()),
    (lambda kind: kind in _SMALL, lambda kind: pa.int16()),
    (lambda kind: kind == pa.uint16(), lambda kind: pa.int32()),
    (lambda kind: kind == pa.uint32(), lambda kind: pa.int64()),
    (lambda kind: kind == pa.uint64(), lambda kind: pa.decimal128(20, 0)),
    (lambda kind: kind == pa.float16(), lambda kind: pa.float32()),
    (
        lambda kind: pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind),
        lambda kind: pa.decimal128(kind.precision, kind.scale),
    ),
    (pa.types.is_date64, lambda kind: pa.date32()),
    (pa.types.is_time32, lambda kind: TIME),
    (
        # Nanoseconds stay: the formats have them, or count what they drop.
        lambda kind: pa.types.is_timestamp(kind) and kind.unit in {"s", "ms", "us"},
        lambda kind: TIMESTAMP if kind.tz is None else pa.timestamp("us", "UTC"),
    ),
)


def plain_field(field: pa.Field) -> pa.Field:
    """`field` with a type that every format has, where one holds all of its values.

    What is left (lists, structs, durations, extension types) the formats know themselves.
    """
    kind = field.type
    for applies, plain in _PLAIN:
        if applies(kind):
            return plain_field(pa.field(field.name, plain(kind))) if plain(kind) != kind else field
    return pa.field(field.name, kind)


class RunOnceSession(ArrowSession):
    """Runs the query when its columns are asked for, and reads what it began then."""

    has_snapshot = False

    @abstractmethod
    def run(self, driver: Any, statement: Statement) -> pa.RecordBatchReader:
        """Run a query; its first batch may not be there yet."""

    def begin(self, driver: Any) -> datetime:
        """The time before the query, by our own clock."""
        return datetime.now(UTC)

    def plan(self, driver: Any, statement: Statement, *, count: bool) -> ArrowPlan:
        """Run the query, and see what it sends."""
        reader = self.run(driver, statement)
        columns = [ArrowColumn(plain_field(field)) for field in reader.schema]
        return ArrowPlan(columns, statement, None, MAX_ROWS, reader)

    def count(self, driver: Any, statement: Statement) -> int:
        """How many rows the query has, now."""
        counted = self.run(driver, statement.selecting(["count(*)"], " AS waybill_rows"))
        return int(counted.read_all().columns[0][0].as_py())

    def read(self, driver: Any, plan: ArrowPlan) -> Iterator[pa.RecordBatch]:
        """What `plan` has begun."""
        if plan.reader is None:
            raise RuntimeError("the query was not run")
        reader: Iterator[pa.RecordBatch] = plan.reader
        return reader
