"""What a column of SQLite should look like, how to find out, and what it is if it does not.

Every expression here is `sa` and runs inside SQLite. The word "misfit" is an expression that
is true for a value that has not the expected form, and null or false for all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from waybill.infra.sources.row_columns import RowColumn
from waybill.infra.sources.types import declared_field

_Column = sa.ColumnElement[Any]

#: Integers up to here, and decimals of as many units, are exact in a double (IEEE 754).
_EXACT_IN_DOUBLE = 2**53

_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_CLOCK = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
#: Texts as SQLAlchemy writes them, with six decimals, and as SQLite's own functions do. The
#: first that matches ends the comparison, so the likeliest comes first.
_FRACTIONS = ("." + "[0-9]" * 6, "", "." + "[0-9]" * 3)
#: Makes SQLite's functions calculate, and so turn 30 February into 1 March.
_NORMALISE = "+0 seconds"


@dataclass(frozen=True, slots=True)
class Form:
    """What one column is read as if no value is a `misfit`."""

    column: RowColumn
    misfit: _Column
    value: _Column

    @property
    def census(self) -> tuple[_Column, _Column, _Column]:
        """Three aggregates: the first and last storage class of the values, and `large`."""
        kind = _class(self.value)
        large = sa.and_(kind == "integer", _beyond(self.value, _EXACT_IN_DOUBLE))
        return sa.func.min(kind), sa.func.max(kind), sa.func.max(large)

    def settle(self, first: str | None, last: str | None, large: int | None) -> RowColumn:
        """How to read the column after all, given the answers of `census`."""
        name = self.column.field.name
        if first == last == "integer":
            return RowColumn(pa.field(name, pa.int64()))
        if (first, last) in {("integer", "real"), ("real", "real")} and not large:
            return RowColumn(pa.field(name, pa.float64()))
        if first == last == "blob":
            return RowColumn(pa.field(name, pa.binary()))
        return RowColumn(pa.field(name, pa.string()))


def form_of(name: str, column: _Column, dialect: sa.Dialect) -> Form:
    """The form that `column`, called `name` in the file, should have by its declared type."""
    # Without its type, or SQLAlchemy would treat our own constants as values of that type.
    value = sa.type_coerce(column, sa.types.NULLTYPE)
    field = declared_field(name, column.type, dialect)
    if field is None:
        return Form(RowColumn(pa.field(name, pa.string())), _class(value).is_not(None), value)
    for applies, misfit, through in _FORMS:
        if applies(field.type):
            return Form(RowColumn(field, through), misfit(value, field.type), value)
    return Form(RowColumn(field), _class(value) != "text", value)


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
    return sa.or_(
        _in_year_zero(value),
        sa.not_(_like_any(value, [f"{_DATE}[ T]{_CLOCK}{fraction}" for fraction in _FRACTIONS])),
        sa.func.datetime(seconds, _NORMALISE).is_distinct_from(sa.func.replace(seconds, "T", " ")),
    )


def _not_time(value: _Column, _: pa.DataType) -> _Column:
    seconds = sa.func.substr(value, 1, 8)
    return sa.or_(
        sa.not_(_like_any(value, [f"{_CLOCK}{fraction}" for fraction in _FRACTIONS])),
        sa.func.time(seconds, _NORMALISE).is_distinct_from(seconds),
    )


def _in_year_zero(value: _Column) -> _Column:
    """SQLite has a year 0; Python, ISO 8601 in daily use, and our formats begin with year 1."""
    return _like_any(value, ["0000-*"])


def _like_any(value: _Column, patterns: list[str]) -> _Column:
    return sa.or_(*(value.bool_op("GLOB")(pattern) for pattern in patterns))


_TIMESTAMP = pa.timestamp("us")

_FORMS: tuple[
    tuple[
        Callable[[pa.DataType], bool],
        Callable[[_Column, pa.DataType], _Column],
        tuple[pa.DataType, ...],
    ],
    ...,
] = (
    (pa.types.is_boolean, _not_boolean, (pa.int64(),)),
    (pa.types.is_integer, lambda value, _: _class(value) != "integer", ()),
    (pa.types.is_floating, _not_float, ()),
    (pa.types.is_decimal, _not_decimal, (pa.float64(),)),
    (pa.types.is_date, _not_date, (pa.string(),)),
    (pa.types.is_timestamp, _not_timestamp, (pa.string(), _TIMESTAMP)),
    (pa.types.is_time, _not_time, ()),
    (pa.types.is_binary, lambda value, _: _class(value) != "blob", ()),
)
