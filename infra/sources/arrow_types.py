"""The Arrow type that each database type becomes, in two tables: `POSTGRES` and `DECLARED`.

The rule behind both: a value is exported exactly, or as text that says exactly what it is. So a
type that Arrow, or the driver, cannot hold in full is read as text, and never rounded,
wrapped around or cut. Schemas consist of plain types only (no extension types):

    bool, int16, int32, int64, float, double, decimal128, string, binary,
    date32, time64[us], timestamp[us], timestamp[us, UTC], lists of the first seven and of strings

Where one value of a column is beyond its Arrow type, or all of them may be, the column is a string
whose field says what it was declared as (`waybill.exporter.values.declared_kinds`), so that an
encoder may still write dates and numbers where its format can hold them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.exporter.values.iso_duration import duration_text
from waybill.exporter.values.json_values import float_text

#: Metadata of a string field that holds decimal numbers.
DECIMAL_TEXT = declared_as(DeclaredKind.DECIMAL)

TIMESTAMP = pa.timestamp("us")
INSTANT = pa.timestamp("us", tz="UTC")
TIME = pa.time64("us")

#: Days from 1970-01-01 to the first and the last date Python has, and the same instants in
#: microseconds: the range in which a date can be written in ISO 8601 with four digits.
_EPOCH = date(1970, 1, 1)
_DAY_ONE = (date.min - _EPOCH).days
_LAST_DAY = (date.max - _EPOCH).days
_DAY = 24 * 60 * 60 * 1_000_000
_MICROSECONDS = (_DAY_ONE * _DAY, (_LAST_DAY + 1) * _DAY - 1)

#: What bytes begin with that are no text, behind which they are in hex: as PostgreSQL has it.
HEXADECIMAL = "\\x"

#: The most digits of a decimal128. (Arrow columnar format, "Decimal".)
MAX_DECIMAL_DIGITS = 38


@dataclass(frozen=True, slots=True)
class PostgresType:
    """How a column of one PostgreSQL type is read. In SQL, ``{0}`` stands for the column.

    Types whose names are not keywords are qualified: users may have their own ``date``.
    """

    arrow: pa.DataType
    #: What to select. As it is, a column keeps the server's own binary form.
    select: str = "{0}"
    #: An SQL condition, true for values that `arrow` cannot hold. If one is, the column is read
    #: as `otherwise` says, and keeps its declared kind.
    out_of_range: str | None = None
    #: The least and the largest value that is in range, in units of `arrow`.
    limits: tuple[int, int] | None = None
    metadata: dict[bytes, bytes] | None = None
    #: How to read the column with a value out of range; None: as text, without a kind.
    otherwise: PostgresType | None = None
    #: A number without a declared scale, as an SQL expression. Where 38 digits hold all of its
    #: values, the column is a decimal128 of the scale that they need.
    number: str | None = None
    #: What the driver announces, if not `arrow`: anything else is a type of the same name.
    announced: pa.DataType | None = None


def _text_of_kind(kind: DeclaredKind) -> PostgresType:
    return PostgresType(pa.string(), "{0}::pg_catalog.text", metadata=declared_as(kind))


#: What PostgreSQL itself would print, for every type that is not in `POSTGRES`.
AS_TEXT = PostgresType(pa.string(), "{0}::pg_catalog.text")

#: Composites, and arrays that no list can hold: nested ones, and those of types whose values
#: are text here. The driver flattens the first (measured), and JSON is what readers understand.
AS_JSON = PostgresType(
    pa.string(),
    "pg_catalog.to_json({0})::pg_catalog.text",
    metadata=declared_as(DeclaredKind.JSON),
)

#: Amounts in arrays are written as they are alone: without a currency sign.
MONEY_ARRAY = PostgresType(
    pa.string(),
    "pg_catalog.to_json({0}::pg_catalog.numeric[]::pg_catalog.text[])::pg_catalog.text",
    metadata=AS_JSON.metadata,
)

#: By the name in ``pg_type``. Types not listed (enum, uuid, inet, timetz, bit, ranges, geometry,
#: …) are read as the text PostgreSQL itself writes: see `AS_TEXT`.
#: The driver has no form for most of them, and Arrow or our formats none for the others.
POSTGRES: dict[str, PostgresType] = {
    "bool": PostgresType(pa.bool_()),
    "int2": PostgresType(pa.int16()),
    "int4": PostgresType(pa.int32()),
    "int8": PostgresType(pa.int64()),
    # Unsigned, and the driver would wrap it around at 2^31.
    "oid": PostgresType(pa.int64(), "{0}::pg_catalog.int8", announced=pa.int32()),
    "float4": PostgresType(pa.float32()),
    "float8": PostgresType(pa.float64()),
    "text": PostgresType(pa.string()),
    "varchar": PostgresType(pa.string()),
    "bpchar": PostgresType(pa.string()),
    "name": PostgresType(pa.string()),
    "bytea": PostgresType(pa.binary()),
    # The server writes the digits faster than the driver decodes them (0.30 s against 0.45 s
    # for 500,000 rows). `numeric(p, s)` becomes a decimal128 where one can hold it.
    "numeric": PostgresType(
        pa.string(),
        "{0}::pg_catalog.text",
        metadata=DECIMAL_TEXT,
        number="{0}",
        announced=pa.opaque(pa.string(), "numeric", "PostgreSQL"),
    ),
    # As PostgreSQL prints it; the cast to text would add "/32" to every plain address.
    "inet": PostgresType(pa.string(), "pg_catalog.abbrev({0})"),
    # An amount without its currency sign, whose digits the server's locale decides.
    "money": PostgresType(
        pa.string(),
        "{0}::pg_catalog.numeric::pg_catalog.text",
        metadata=DECIMAL_TEXT,
        number="{0}::pg_catalog.numeric",
        announced=pa.int64(),
    ),
    # The driver wraps infinity around to a date 5 million years away (measured), and years
    # outside 1 to 9999 are beyond ISO 8601, Python and every spreadsheet.
    "date": PostgresType(
        pa.date32(),
        out_of_range="{0} NOT BETWEEN pg_catalog.date '0001-01-01'"
        " AND pg_catalog.date '9999-12-31'",
        limits=(_DAY_ONE, _LAST_DAY),
        otherwise=_text_of_kind(DeclaredKind.DATE),
    ),
    "timestamp": PostgresType(
        TIMESTAMP,
        out_of_range="{0} < timestamp '0001-01-01' OR {0} >= timestamp '9999-12-31 24:00'",
        limits=_MICROSECONDS,
        otherwise=_text_of_kind(DeclaredKind.TIMESTAMP),
    ),
    "timestamptz": PostgresType(
        INSTANT,
        out_of_range="{0} < timestamptz '0001-01-01Z' OR {0} >= timestamptz '9999-12-31 24:00Z'",
        limits=_MICROSECONDS,
        otherwise=_text_of_kind(DeclaredKind.INSTANT),
    ),
    "time": PostgresType(
        TIME,
        out_of_range="{0} = time '24:00'",
        limits=(0, _DAY - 1),
        otherwise=_text_of_kind(DeclaredKind.TIME),
    ),
    # As psql prints it: "36:15:00", "-01:30:00", "1 mon -2 days". Arrow's type for it no format
    # can write, and durations have no months.
    "interval": replace(
        _text_of_kind(DeclaredKind.INTERVAL), announced=pa.month_day_nano_interval()
    ),
    "json": replace(_text_of_kind(DeclaredKind.JSON), announced=pa.json_()),
    "jsonb": replace(_text_of_kind(DeclaredKind.JSON), announced=pa.json_()),
}

#: Elements whose arrays become lists, by the name of the element's type. The slice moves a first
#: index other than one, which the driver refuses; nested arrays it would flatten (measured).
POSTGRES_ARRAYS: dict[str, PostgresType] = {
    f"_{element}": PostgresType(
        pa.list_(POSTGRES[element].arrow),
        "({0})[:]",
        out_of_range="pg_catalog.array_ndims({0}) > 1",
        otherwise=AS_JSON,
    )
    for element in (
        *("bool", "int2", "int4", "int8", "float4", "float8"),
        *("text", "varchar", "bpchar", "name"),
    )
}

#: By the Python type that SQLAlchemy declares for a column, for databases that are read row
#: by row. Types not listed (enum, uuid, json, array, interval) are read as text.
DECLARED: dict[type[object], pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    date: pa.date32(),
    time: TIME,
}


def declared_field(
    name: str, declared: sa.types.TypeEngine[Any], dialect: sa.Dialect
) -> pa.Field | None:
    """The field for a declared SQLAlchemy type; None when the declaration does not say."""
    own_type = declared.dialect_impl(dialect)
    while isinstance(own_type, sa.TypeDecorator):
        # What is stored is exported, not what a Python application makes of it.
        own_type = own_type.impl_instance
    if isinstance(own_type, sa.Float):
        # Whatever it asks SQLAlchemy to make of it, the database holds a double.
        return pa.field(name, pa.float64())
    if isinstance(own_type, sa.JSON):
        return pa.field(name, pa.string())
    try:
        python_type = own_type.python_type
    except NotImplementedError:
        return None
    if python_type is object:
        return None
    if python_type is Decimal:
        return decimal_field(
            name, getattr(own_type, "precision", None), getattr(own_type, "scale", None)
        )
    if isinstance(own_type, sa.BigInteger) and getattr(own_type, "unsigned", False):
        # MySQL's goes to 2^64 - 1, which has 20 digits.
        return pa.field(name, pa.decimal128(20, 0))
    if python_type is datetime:
        return pa.field(name, INSTANT if getattr(own_type, "timezone", False) else TIMESTAMP)
    return pa.field(name, DECLARED.get(python_type, pa.string()))


def decimal_field(name: str, precision: int | None, scale: int | None) -> pa.Field:
    """A decimal128 of exactly this precision and scale, or text marked as a number.

    PostgreSQL allows a scale that is negative, or larger than the precision; both are
    written here as the smallest ordinary decimal that holds every such value.
    """
    if precision is None:
        return pa.field(name, pa.string(), metadata=DECIMAL_TEXT)
    scale = scale or 0
    digits = max(precision - min(scale, 0), scale)
    if digits > MAX_DECIMAL_DIGITS:
        return pa.field(name, pa.string(), metadata=DECIMAL_TEXT)
    return pa.field(name, pa.decimal128(digits, max(scale, 0)))


def seen_field(name: str, values_seen: Set[type[object]]) -> pa.Field:
    """The field for a column without a declared type, by the Python types of all its values.

    Text where they are of several types, except for numbers, which are then decimals.
    """
    if len(values_seen) == 1:
        (python_type,) = values_seen
        if python_type is datetime:
            return pa.field(name, TIMESTAMP)
        if python_type in DECLARED:
            return pa.field(name, DECLARED[python_type])
    if values_seen and values_seen <= {int, float, Decimal}:
        return decimal_field(name, None, None)
    return pa.field(name, pa.string())


def text_of(value: object) -> str:
    """The text of a value in a column that is read as text. Exact, and never a `repr`.

    Bytes that are not UTF-8 are written the way PostgreSQL writes them, as ``\\x`` and hex.
    """
    if isinstance(value, str):
        # Lone surrogates cannot be stored in Arrow, nor in any of our formats.
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return f"{HEXADECIMAL}{raw.hex()}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return float_text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text_of)
    if isinstance(value, timedelta):
        return duration_text(value // timedelta(microseconds=1) * 1000)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
