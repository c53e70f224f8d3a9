"""What each column of a ClickHouse query becomes, by the type that ClickHouse itself gives it.

Nothing can be checked beforehand, since there is no snapshot of two statements. So a type whose
values may be beyond Arrow's, or our formats', is text from the start, with the kind it was declared
as. Types that ClickHouse writes as another type of Arrow, or as bytes of its own layout, are
converted by the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.infra.sources.arrow_stream.columns import ArrowColumn
from waybill.infra.sources.arrow_types import (
    INSTANT,
    MAX_DECIMAL_DIGITS,
    decimal_field,
    text_of,
)
from waybill.infra.sources.errors import SourceRejected

#: Types that hold another one, whose values they do not change. What comes before a comma is the
#: name of an aggregate function.
_AROUND = re.compile(
    r"(?:Nullable|LowCardinality|SimpleAggregateFunction)\((?:\w+(?:\([^()]*\))?, )?(.*)\)",
    re.DOTALL,
)

#: Types of Arrow that ClickHouse sends, or that hold what it sends in full.
_NUMBERS = {
    "Bool": pa.bool_(),
    "Int8": pa.int16(),
    "Int16": pa.int16(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "UInt8": pa.int16(),
    "UInt16": pa.int32(),
    "UInt32": pa.int64(),
    "UInt64": pa.decimal128(20, 0),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
}

#: Long integers come as bytes; dates and times without a fraction as numbers, from older servers.
_WRITTEN = {
    "BFloat16": (pa.field("", pa.float32()), "toFloat32({0})"),
    "Date": (pa.field("", pa.date32()), "toDate32({0})"),
    "Date32": (pa.field("", pa.date32()), "{0}"),
    "DateTime": (pa.field("", INSTANT), "toDateTime64({0}, 0, 'UTC')"),
}

#: Texts of a kind that a format may have a type for. A time may have 999 hours, or be below 0.
_KINDS = {
    "Int128": DeclaredKind.INTEGER,
    "Int256": DeclaredKind.INTEGER,
    "UInt128": DeclaredKind.INTEGER,
    "UInt256": DeclaredKind.INTEGER,
    "Time": DeclaredKind.INTERVAL,
    "Time64": DeclaredKind.INTERVAL,
}

#: Values of several values. The last few are names for arrays and tuples of numbers.
_NESTED = frozenset(
    {
        *("Array", "Tuple", "Map", "Nested", "JSON", "Object", "Variant", "Dynamic", "QBit"),
        *("Point", "Ring", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "Geometry"),
    }
)

#: Bytes that fill up the type are none of the value, as ClickHouse's own comparisons have it. What
#: is no text without them is bytes, as those of a hash are.
_FIXED_STRING = (
    "if({0} = toStringCutToZero({0}) AND isValidUTF8(toStringCutToZero({0})),"
    r" toStringCutToZero({0}), concat('\\x', lower(hex({0}))))"
)


@dataclass(frozen=True, slots=True)
class TextColumn(ArrowColumn):
    """Text, in which ClickHouse allows any bytes; those that are not UTF-8 are hexadecimal."""

    def convert(self, array: pa.Array) -> pa.Array:
        """The texts."""
        return self.convert_counted(array)[0]

    def convert_counted(self, array: pa.Array) -> tuple[pa.Array, int]:
        """The texts, and how many of them were none."""
        raw = array.cast(pa.binary()) if array.type != pa.null() else array
        try:
            return raw.cast(pa.string()), 0
        except pa.ArrowInvalid:
            values = raw.to_pylist()
        texts = [None if value is None else text_of(value) for value in values]
        odd = sum(
            text is not None and text.encode() != value
            for text, value in zip(texts, values, strict=True)
        )
        return pa.array(texts, pa.string()), odd


def column(name: str, kind: str) -> ArrowColumn:
    """How a column of ClickHouse's type `kind` is read, as ``DESCRIBE`` spells it.

    Raises:
        SourceRejected: its values are the states of an aggregate function.
    """
    while around := _AROUND.fullmatch(kind):
        kind = around[1]
    base, _, rest = kind.partition("(")
    if base in _NUMBERS:
        return ArrowColumn(pa.field(name, _NUMBERS[base]))
    if base in _WRITTEN:
        field, select = _WRITTEN[base]
        return ArrowColumn(field.with_name(name), select)
    if base == "DateTime64":
        # Nanoseconds stay: the formats have them, or count what they drop.
        is_fine = int(rest.partition(",")[0].rstrip(")")) > 6
        return ArrowColumn(pa.field(name, pa.timestamp("ns", "UTC") if is_fine else INSTANT))
    if base == "Decimal":
        digits, scale = (int(number) for number in rest.rstrip(")").split(","))
        # Of the functions that write text only this one keeps the scale.
        select = "{0}" if digits <= MAX_DECIMAL_DIGITS else "toJSONString({0})"
        field = decimal_field(name, digits, scale)
        return TextColumn(field, select) if select != "{0}" else ArrowColumn(field)
    if base == "AggregateFunction":
        raise SourceRejected(
            f"The column {name!r} has states of an aggregate function, not values. Select"
            " finalizeAggregation of it."
        )
    return _text(name, base)


def _text(name: str, base: str) -> ArrowColumn:
    if base in _NESTED:
        field = pa.field(name, pa.string(), metadata=declared_as(DeclaredKind.JSON))
        return TextColumn(field, "toJSONString({0})")
    if base in _KINDS:
        field = pa.field(name, pa.string(), metadata=declared_as(_KINDS[base]))
        return TextColumn(field, "toString({0})")
    field = pa.field(name, pa.string())
    if base.startswith("Interval"):
        unit = base.removeprefix("Interval").lower()
        return TextColumn(field, f"concat(toString({{0}}), ' {unit}')")
    if base == "FixedString":
        return TextColumn(field, _FIXED_STRING)
    # Enums, UUIDs, addresses, nulls that have no type, and what comes with a newer server.
    return TextColumn(field, "{0}" if base == "String" else "toString({0})")
