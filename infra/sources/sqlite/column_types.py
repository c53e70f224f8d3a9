"""The type of a SQLite column: what it declares, how that is checked, and what it is if not.

Every expression here is SQLAlchemy's and runs inside SQLite. `out_of_range` is always an
expression that is true for a value without the declared form, and null or false for others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import ischema_names

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as, declared_kind
from waybill.infra.sources.arrow_types import DECIMAL_TEXT, INSTANT, declared_field, text_of
from waybill.infra.sources.rows.columns import RowColumn
from waybill.infra.sources.sqlite.declared_types import declared_type

_Column = sa.ColumnElement[Any]


class StoredText(bytes):
    """What SQLite stores as text, where a column has bytes as well: those are plain `bytes`."""


#: Integers up to here, and decimals of as many units, are exact in a double (IEEE 754).
_EXACT_IN_DOUBLE = 2**53

_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_MINUTE = "[0-9][0-9]:[0-9][0-9]"
#: Seconds as SQLAlchemy writes them, with six decimals, as SQLite's own functions do, and as
#: others do. The first that matches ends the comparison, so the likeliest comes first.
_SECONDS = [
    ":[0-9][0-9]" + ("." + "[0-9]" * digits if digits else "") for digits in (6, 0, 3, 1, 2, 4, 5)
]
_CLOCKS = [_MINUTE + seconds for seconds in (*_SECONDS, "")]
#: Makes SQLite's functions calculate, and so turn 30 February into 1 March.
_NORMALISE = "+0 seconds"

#: Bytes come after all text, and comparing is quicker than asking for the storage class.
#: (https://sqlite.org/datatype3.html#sort_order)
_LEAST_BLOB: sa.ColumnElement[Any] = sa.literal_column("x''")

#: The classes that reflection makes of declared types: no more than SQLite itself knows.
_REFLECTED = frozenset(ischema_names.values())


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """How one column is read if no value of it is `out_of_range`."""

    column: RowColumn
    value: _Column
    #: None where any value will do.
    out_of_range: _Column | None = None
    #: How it is read if some are; None where the values decide.
    odd: RowColumn | None = None
    #: Whether it declares nothing: any value is out of range then.
    is_undeclared: bool = False

    @property
    def storage_class_query(self) -> tuple[_Column, _Column, _Column]:
        """Three aggregates: the first and last storage class of the values, and `large`."""
        storage_class = _class(self.value)
        large = sa.and_(storage_class == "integer", _beyond(self.value, _EXACT_IN_DOUBLE))
        return sa.func.min(storage_class), sa.func.max(storage_class), sa.func.max(large)

    def resolve_type(self, first: str | None, last: str | None, large: int | None) -> RowColumn:
        """How to read the column after all, by the answers to `storage_class_query`.

        A declared column stays what it is, with each odd value as text. The exception is a
        date or time that is a number in every row: seconds since 1970, or a Julian day.
        """
        if first is None:
            return self.column
        name = self.column.field.name
        numbers = first in {"integer", "real"} and last in {"integer", "real"}
        if self.odd is not None and not (numbers and pa.types.is_temporal(self.column.field.type)):
            return self.odd
        if first == last == "integer":
            return RowColumn(pa.field(name, pa.int64()))
        if numbers and not large:
            return RowColumn(pa.field(name, pa.float64()))
        if numbers:
            return RowColumn(pa.field(name, pa.string(), metadata=DECIMAL_TEXT))
        if first == last == "blob":
            return RowColumn(pa.field(name, pa.binary()))
        types = () if first == last == "text" else (StoredText,)
        return RowColumn(pa.field(name, pa.string()), text_types=types)


def declared_column(
    name: str, column: _Column, declaration: str, dialect: sa.Dialect
) -> DeclaredColumn:
    """How `column`, which the database declares as `declaration`, is read; and its check.

    A type that a dataset gives it comes first; one of reflection does not.

    Args:
        name: its name in the file.
    """
    # Without its type, or SQLAlchemy would treat our own constants as values of that type; and
    # without the database's own collation, which this program may not know.
    value = sa.type_coerce(column, sa.types.NULLTYPE).collate("BINARY")
    field = _declared(name, column, declaration, dialect)
    if field is None:
        empty = pa.binary() if "BLOB" in declaration.upper() else pa.string()
        undeclared = RowColumn(pa.field(name, empty))
        return DeclaredColumn(undeclared, value, _class(value).is_not(None), is_undeclared=True)
    kind = field.type
    if pa.types.is_string(kind):
        if declared_kind(field) is not None:
            return DeclaredColumn(RowColumn(field), value)
        # In SQLite, digits in a column of text may be numbers; they are the same as text.
        among_bytes = RowColumn(field, text_types=(StoredText, int, float))
        texts = RowColumn(field, text_types=())
        return DeclaredColumn(texts, value, value >= _LEAST_BLOB, among_bytes)
    check = next(check for check in _CHECKS if check.applies(kind))
    plain = RowColumn(pa.field(name, kind), check.through)
    if check.kind is None:
        return DeclaredColumn(plain, value, check.out_of_range(value, kind))
    marks = declared_as(declared_kind(field) or check.kind)
    text: Callable[[Any], str] = check.text
    if pa.types.is_decimal(kind):
        marks = declared_as(check.kind, precision=kind.precision, scale=kind.scale)
        text = _decimal_text(kind.scale)
    elif kind == INSTANT:
        marks, text = declared_as(DeclaredKind.INSTANT), _instant_text
    odd = RowColumn(pa.field(name, pa.string(), metadata=marks), text=text)
    return DeclaredColumn(plain, value, check.out_of_range(value, kind), odd)


def _declared(name: str, column: _Column, declaration: str, dialect: sa.Dialect) -> pa.Field | None:
    by_sqlalchemy = declared_field(name, column.type, dialect)
    if isinstance(column.type, sa.JSON):
        return pa.field(name, pa.string(), metadata=declared_as(DeclaredKind.JSON))
    if by_sqlalchemy is not None and not (declaration and type(column.type) in _REFLECTED):
        if declared_kind(by_sqlalchemy) is DeclaredKind.DECIMAL:
            # Without a precision: SQLite keeps such numbers as doubles.
            return by_sqlalchemy.with_type(pa.float64())
        return by_sqlalchemy
    by_database = declared_type(declaration)
    return by_database and pa.field(name, by_database[0], metadata=by_database[1])


def _class(value: _Column) -> _Column:
    """The storage class of a value; null for a null."""
    return sa.func.nullif(sa.func.typeof(value), "null")


def _beyond(value: _Column, limit: float) -> _Column:
    # Not `abs`, which fails for the smallest integer.
    return sa.or_(value > limit, value < -limit)


def _not_boolean(value: _Column, _: pa.DataType) -> _Column:
    return sa.or_(_class(value) != "integer", value.not_in((0, 1)))


def _not_decimal(value: _Column, kind: pa.DataType) -> _Column:
    largest = min(10 ** (kind.precision - kind.scale), _EXACT_IN_DOUBLE / 10**kind.scale)
    return sa.or_(
        _class(value).not_in(("integer", "real")),
        value != sa.func.round(value, kind.scale),
        _beyond(value, largest),
    )


def _not_float(value: _Column, _: pa.DataType) -> _Column:
    return sa.or_(
        _class(value).not_in(("integer", "real")),
        sa.and_(_class(value) == "integer", _beyond(value, _EXACT_IN_DOUBLE)),
    )


def _not_date(value: _Column, _: pa.DataType) -> _Column:
    return sa.or_(_in_year_zero(value), sa.func.date(value, _NORMALISE).is_distinct_from(value))


def _not_timestamp(value: _Column, _: pa.DataType) -> _Column:
    seconds = sa.func.substr(value, 1, 19)
    as_written = sa.func.replace(seconds, "T", " ")
    with_seconds = sa.case(
        (sa.func.length(value) == 16, as_written.op("||")(":00")), else_=as_written
    )
    wrong = sa.func.datetime(seconds, _NORMALISE).is_distinct_from(with_seconds)
    shapes = [f"{_DATE}[ T]{clock}" for clock in _CLOCKS]
    return sa.case((_in_year_zero(value), sa.true()), else_=_wrong_or_unlike(value, shapes, wrong))


def _not_time(value: _Column, _: pa.DataType) -> _Column:
    seconds = sa.func.substr(value.op("||")(":00"), 1, 8)
    wrong = sa.func.time(seconds, _NORMALISE).is_distinct_from(seconds)
    return _wrong_or_unlike(value, _CLOCKS, wrong)


def _wrong_or_unlike(value: _Column, patterns: list[str], wrong: _Column) -> _Column:
    """True for a value like none of `patterns`, and `wrong` for others.

    A ``CASE`` ends at the first that fits. An ``OR`` in a result tries them all: twice the time.
    """
    like_one = sa.case(*((value.bool_op("GLOB")(pattern), 1) for pattern in patterns), else_=0)
    return sa.case((like_one == 1, wrong), else_=value.is_not(None))


def _in_year_zero(value: _Column) -> _Column:
    """SQLite has a year 0; Python, ISO 8601 in daily use, and our formats begin with year 1."""
    return value.bool_op("GLOB")("0000-*")


def _truth_text(value: Any) -> str:
    return text_of(bool(value) if value in (0, 1) else value)


def _decimal_text(scale: int) -> Callable[[Any], str]:
    """Numbers that fit `scale` with all its digits; others as they are."""

    def text(value: Any) -> str:
        if isinstance(value, int):
            return f"{value}.{'0' * scale}" if scale else str(value)
        if isinstance(value, float) and math.fabs(value) < _EXACT_IN_DOUBLE:
            digits = f"{value:.{scale}f}"
            return digits if float(digits) == value else text_of(value)
        return text_of(value)

    return text


def _instant_text(value: Any) -> str:
    """An instant has its offset. SQLAlchemy leaves it out, and means UTC."""
    text = text_of(value)
    try:
        return text if datetime.fromisoformat(text).tzinfo else f"{text}+00:00"
    except ValueError:
        return text


_TIMESTAMP = pa.timestamp("us")


@dataclass(frozen=True, slots=True)
class _Check:
    """How columns of one kind are checked and read."""

    applies: Callable[[pa.DataType], bool]
    out_of_range: Callable[[_Column, pa.DataType], _Column]
    #: What a column with odd values is marked as; None: the values decide.
    kind: DeclaredKind | None
    through: tuple[pa.DataType, ...] = ()
    text: Callable[[Any], str] = text_of


_CHECKS = (
    _Check(pa.types.is_boolean, _not_boolean, DeclaredKind.BOOLEAN, (pa.int64(),), _truth_text),
    _Check(pa.types.is_integer, lambda value, _: _class(value) != "integer", DeclaredKind.INTEGER),
    _Check(pa.types.is_floating, _not_float, DeclaredKind.FLOAT),
    _Check(pa.types.is_decimal, _not_decimal, DeclaredKind.DECIMAL, (pa.float64(),)),
    _Check(pa.types.is_date, _not_date, DeclaredKind.DATE, (pa.string(),)),
    _Check(
        pa.types.is_timestamp, _not_timestamp, DeclaredKind.TIMESTAMP, (pa.string(), _TIMESTAMP)
    ),
    _Check(pa.types.is_time, _not_time, DeclaredKind.TIME),
    _Check(pa.types.is_binary, lambda value, _: _class(value) != "blob", None),
)
