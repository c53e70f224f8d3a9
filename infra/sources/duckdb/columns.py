"""What each column of a DuckDB query becomes, by the type that DuckDB itself gives it.

A table, a query over it and a dataset have the same types, so they have the same columns. A value
that Arrow, or our formats, cannot hold in full is found beforehand, in SQL, and the column is then
text with the kind it was declared as.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.infra.sources.arrow_stream.columns import ArrowColumn
from waybill.infra.sources.arrow_types import INSTANT, MAX_DECIMAL_DIGITS, TIME, TIMESTAMP

_TEXT = "CAST({0} AS VARCHAR)"
#: As psql prints it, which spells months shorter: ``1 mon -2 days 03:00:00``.
_INTERVAL_TEXT = "replace(CAST({0} AS VARCHAR), ' month', ' mon')"

_MOST = "9" * MAX_DECIMAL_DIGITS

#: Integers and floats that are what Arrow has, or fit the next larger type.
_NUMBERS: dict[str, tuple[pa.DataType, str]] = {
    "boolean": (pa.bool_(), "{0}"),
    "tinyint": (pa.int16(), "CAST({0} AS SMALLINT)"),
    "smallint": (pa.int16(), "{0}"),
    "integer": (pa.int32(), "{0}"),
    "bigint": (pa.int64(), "{0}"),
    "utinyint": (pa.int16(), "CAST({0} AS SMALLINT)"),
    "usmallint": (pa.int32(), "CAST({0} AS INTEGER)"),
    "uinteger": (pa.int64(), "CAST({0} AS BIGINT)"),
    "ubigint": (pa.decimal128(20, 0), "CAST({0} AS DECIMAL(20, 0))"),
    "float": (pa.float32(), "{0}"),
    "double": (pa.float64(), "{0}"),
}

#: Types whose range or precision is beyond Arrow's, or that of our formats: the Arrow type, what to
#: select, what finds a value outside, and the kind of the column of texts that it makes.
#: Infinity is above every date; `TIMESTAMP_NS` and `TIME_NS` round when they are cast.
_RANGED: dict[str, tuple[pa.DataType, str, str, DeclaredKind]] = {
    "hugeint": (
        pa.decimal128(MAX_DECIMAL_DIGITS, 0),
        f"CAST({{0}} AS DECIMAL({MAX_DECIMAL_DIGITS}, 0))",
        f"{{0}} NOT BETWEEN -{_MOST} AND {_MOST}",
        DeclaredKind.INTEGER,
    ),
    "uhugeint": (
        pa.decimal128(MAX_DECIMAL_DIGITS, 0),
        f"CAST({{0}} AS DECIMAL({MAX_DECIMAL_DIGITS}, 0))",
        f"{{0}} > CAST({_MOST} AS UHUGEINT)",
        DeclaredKind.INTEGER,
    ),
    "date": (
        pa.date32(),
        "{0}",
        "{0} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'",
        DeclaredKind.DATE,
    ),
    "timestamp": (
        TIMESTAMP,
        "{0}",
        "{0} NOT BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
        DeclaredKind.TIMESTAMP,
    ),
    "timestamp_s": (
        TIMESTAMP,
        "CAST({0} AS TIMESTAMP)",
        "{0} NOT BETWEEN TIMESTAMP_S '0001-01-01' AND TIMESTAMP_S '9999-12-31 23:59:59'",
        DeclaredKind.TIMESTAMP,
    ),
    "timestamp_ms": (
        TIMESTAMP,
        "CAST({0} AS TIMESTAMP)",
        "{0} NOT BETWEEN TIMESTAMP_MS '0001-01-01' AND TIMESTAMP_MS '9999-12-31 23:59:59.999'",
        DeclaredKind.TIMESTAMP,
    ),
    "timestamp_ns": (
        TIMESTAMP,
        "CAST({0} AS TIMESTAMP)",
        "isinf({0}) OR epoch_ns({0}) % 1000 <> 0",
        DeclaredKind.TIMESTAMP,
    ),
    "timestamp with time zone": (
        INSTANT,
        "{0}",
        "{0} NOT BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00'"
        " AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'",
        DeclaredKind.INSTANT,
    ),
    "time": (TIME, "{0}", "{0} = TIME '24:00:00'", DeclaredKind.TIME),
    "time_ns": (
        TIME,
        "CAST({0} AS TIME)",
        "CAST({0} AS VARCHAR) LIKE '24:%' OR length(CAST({0} AS VARCHAR)) > 15",
        DeclaredKind.TIME,
    ),
}

#: Texts of a kind that a format may have a type for.
_KINDS = {
    "bignum": (_TEXT, DeclaredKind.INTEGER),
    "interval": (_INTERVAL_TEXT, DeclaredKind.INTERVAL),
    "union": ("CAST(CAST({0} AS JSON) AS VARCHAR)", DeclaredKind.JSON),
    "variant": ("CAST(CAST({0} AS JSON) AS VARCHAR)", DeclaredKind.JSON),
}

#: Inside lists, structs and maps these stay what they are; any other value is text there.
_KEPT_INSIDE = frozenset({*_NUMBERS, "decimal", "blob"})
_NESTED = frozenset({"list", "array", "struct", "map"})

#: A column whose Arrow type DuckDB has to be asked for.
UNKNOWN = pa.null()


def column(name: str, kind: Any) -> ArrowColumn:
    """How a column of DuckDB's type `kind`, a `DuckDBPyType`, is read.

    The type of a nested column is `UNKNOWN` yet.
    """
    type_name = str(kind.id)
    if str(kind) == "JSON":
        return _of_kind(name, _TEXT, DeclaredKind.JSON)
    if type_name in _NUMBERS:
        arrow_type, select = _NUMBERS[type_name]
        return ArrowColumn(pa.field(name, arrow_type), select)
    if type_name == "decimal":
        digits, scale = (int(value) for _, value in kind.children)
        return ArrowColumn(pa.field(name, pa.decimal128(digits, scale)))
    if type_name in _RANGED:
        arrow_type, select, odd, declared = _RANGED[type_name]
        otherwise = _of_kind(name, _TEXT, declared)
        return ArrowColumn(pa.field(name, arrow_type), select, odd, otherwise)
    if type_name in _KINDS:
        return _of_kind(name, *_KINDS[type_name])
    if type_name in _NESTED:
        inside = _type_inside(kind)
        select = "{0}" if inside == str(kind) else f"CAST({{0}} AS {_in_format(inside)})"
        return ArrowColumn(pa.field(name, UNKNOWN), select)
    if type_name == "blob":
        return ArrowColumn(pa.field(name, pa.binary()))
    # Enums, UUIDs, bits, times with a zone, geometries, and nulls that have no type.
    return ArrowColumn(pa.field(name, pa.string()), "{0}" if type_name == "varchar" else _TEXT)


def _of_kind(name: str, select: str, kind: DeclaredKind) -> ArrowColumn:
    return ArrowColumn(pa.field(name, pa.string(), metadata=declared_as(kind)), select)


def _type_inside(kind: Any) -> str:
    """The type to which a nested one is cast, so that Arrow holds each of its values in full."""
    type_name = str(kind.id)
    if type_name in {"list", "array"}:
        # Lists of one size are lists: not every format has both.
        return f"{_type_inside(kind.children[0][1])}[]"
    if type_name == "struct":
        parts = (f"{_quoted(part)} {_type_inside(inner)}" for part, inner in kind.children)
        return f"STRUCT({', '.join(parts)})"
    if type_name == "map":
        key, value = (inner for _, inner in kind.children)
        return f"MAP({_type_inside(key)}, {_type_inside(value)})"
    return str(kind) if type_name in _KEPT_INSIDE and str(kind) != "JSON" else "VARCHAR"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_format(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def checks(columns: Sequence[ArrowColumn], names: Sequence[str]) -> list[str]:
    """For each column SQL that says whether it has an odd value, and last the size of the texts.

    The size is that of the largest value of each column of texts and bytes, in bytes, added up.
    """
    found = [
        "false" if column.odd is None else f"coalesce(bool_or({column.odd.format(name)}), false)"
        for column, name in zip(columns, names, strict=True)
    ]
    sizes = [
        f"coalesce(max({_length(column)}), 0)".format(name)
        for column, name in zip(columns, names, strict=True)
        if column.field.type in (pa.string(), pa.binary())
    ]
    return [*found, " + ".join(["0", *sizes])]


def _length(column: ArrowColumn) -> str:
    if pa.types.is_binary(column.field.type):
        return "octet_length({0})"
    return "strlen({0})" if column.select == "{0}" else "1"
