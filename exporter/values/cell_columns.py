"""Cell columns: the columns of a text format, with names, kind and exact text of their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.labels import unique_labels
from waybill.exporter.values.arrow_conversions import for_polars
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_kind
from waybill.exporter.values.declared_values import as_typed
from waybill.exporter.values.value_texts import value_texts


class ValueKind(Enum):
    """What a value is, as far as quoting and guarding are concerned."""

    #: Integers and floats.
    NUMBER = auto()
    #: Exact decimals.
    DECIMAL = auto()
    #: Numbers that the source sent as text, with exceptions among them.
    DECIMAL_TEXT = auto()
    BOOLEAN = auto()
    #: Booleans, dates, times and intervals that the source sent as text, likewise.
    DECLARED_TEXT = auto()
    #: Dates, times, timestamps, durations: digits and a few fixed letters.
    MOMENT = auto()
    #: Lists, structs and maps as JSON text, and columns of JSON text.
    JSON = auto()
    #: Base64 text.
    BYTES = auto()
    #: Everything else; may contain anything.
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class CellColumn:
    """One column of a text format."""

    #: Name inside frames. Not the column's own name, which Polars might read as a pattern.
    key: str
    #: The column's own name, made unique: the name in warnings.
    name: str
    #: The heading a person reads, made unique.
    label: str
    kind: ValueKind
    #: The layout asks for text where the format could hold a number.
    as_text: bool
    #: What a column of text was declared as; None where its type says all there is.
    declared: DeclaredKind | None = None
    #: The name in JSON, made unique.
    json_key: str = ""


def cell_columns(schema: pa.Schema, layout: Layout) -> tuple[CellColumn, ...]:
    """The columns of `schema` in their order.

    Raises:
        LimitExceeded: there are no columns, and no text format can say how many rows it has
            without one.
    """
    if not schema.names:
        raise LimitExceeded("A table without columns cannot be exported.")
    names = unique_labels(schema.names)
    keys = unique_labels(layout.key(name) for name in schema.names)
    labels = unique_labels(layout.label(name) for name in schema.names)
    return tuple(
        CellColumn(
            key=str(index),
            name=name,
            json_key=json_key,
            label=label,
            kind=kind_of(field),
            declared=declared_kind(field),
            as_text=layout.column(field.name).as_text,
        )
        for index, (field, name, json_key, label) in enumerate(
            zip(schema, names, keys, labels, strict=True)
        )
    )


def cell_texts(table: pa.Table, columns: Sequence[CellColumn], zone: ZoneInfo) -> pl.DataFrame:
    """The values of `table` as `value_texts` has them; columns are called by their keys."""
    arrays = [for_polars(array, zone) for array in table.columns]
    keys = [column.key for column in columns]
    frame = value_texts(pl.DataFrame(pa.Table.from_arrays(arrays, names=keys)), zone)
    return frame.with_columns(
        as_typed(frame[column.key], column.declared, zone).alias(column.key)
        for column in columns
        if column.declared is not None
    )


def kind_of(field: pa.Field) -> ValueKind:
    """The kind of the values of `field`."""
    if (declared := declared_kind(field)) is not None:
        return _DECLARED.get(declared, ValueKind.DECLARED_TEXT)
    if isinstance(field.type, pa.JsonType):
        return ValueKind.JSON
    kind = value_type(field.type)
    for applies, result in _KINDS:
        if applies(kind):
            return result
    return ValueKind.TEXT


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values of `kind`, without extension, dictionary or run-end encoding."""
    if isinstance(kind, pa.UuidType):
        return kind
    if isinstance(kind, pa.BaseExtensionType):
        return value_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return value_type(kind.value_type)
    return kind


def is_instant(field: pa.Field) -> bool:
    """Whether the values of `field` are moments, which have a zone."""
    kind = value_type(field.type)
    aware = pa.types.is_timestamp(kind) and kind.tz is not None
    return aware or declared_kind(field) is DeclaredKind.INSTANT


#: String columns with a mark. Any value in them may be an exception.
_DECLARED = {
    DeclaredKind.INTEGER: ValueKind.DECIMAL_TEXT,
    DeclaredKind.DECIMAL: ValueKind.DECIMAL_TEXT,
    DeclaredKind.FLOAT: ValueKind.DECIMAL_TEXT,
    DeclaredKind.JSON: ValueKind.JSON,
}

_KINDS = (
    (pa.types.is_integer, ValueKind.NUMBER),
    (pa.types.is_floating, ValueKind.NUMBER),
    (pa.types.is_decimal, ValueKind.DECIMAL),
    (pa.types.is_boolean, ValueKind.BOOLEAN),
    (pa.types.is_temporal, ValueKind.MOMENT),
    (pa.types.is_nested, ValueKind.JSON),
    (pa.types.is_binary, ValueKind.BYTES),
    (pa.types.is_large_binary, ValueKind.BYTES),
    (pa.types.is_binary_view, ValueKind.BYTES),
    (pa.types.is_fixed_size_binary, ValueKind.BYTES),
)
