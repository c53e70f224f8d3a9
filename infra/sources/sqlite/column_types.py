"""The type of a SQLite column: what it declares, how that is checked, and what it is if not.

Every expression here is SQLAlchemy's and runs inside SQLite. `out_of_range` is always an
expression that is true for a value without the declared form, and null or false for others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from waybill.infra.sources.arrow_types import declared_field
from waybill.infra.sources.rows.columns import RowColumn

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
class DeclaredColumn:
    """How one column is read if no value of it is `out_of_range`."""

    column: RowColumn
    out_of_range: _Column
    value: _Column

    @property
    def storage_class_query(self) -> tuple[_Column, _Column, _Column]:
        """Three aggregates: the first and last storage class of the values, and `large`."""
        storage_class = _class(self.value)
        large = sa.and_(storage_class == "integer", _beyond(self.value, _EXACT_IN_DOUBLE))
        return sa.func.min(storage_class), sa.func.max(storage_class), sa.func.max(large)

    def resolve_type(self, first: str | None, last: str | None, large: int | None) -> RowColumn:
        """How to read the column after all, by the answers to `storage_class_query`."""
        name = self.column.field.name
        if first == last == "integer":
            return RowColumn(pa.field(name, pa.int64()))
        if (first, last) in {("integer", "real"), ("real", "real")} and not large:
            return RowColumn(pa.field(name, pa.float64()))
        if first == last == "blob":
            return RowColumn(pa.field(name, pa.binary()))
        return RowColumn(pa.field(name, pa.string()))


def declared_column(name: str, column: _Column, dialect: sa.Dialect) -> DeclaredColumn:
    """How `column` is read by its declared type, and its check. `name` is its name in the file."""
    # Without its type, or SQLAlchemy would treat our own constants as values of that type.
    value = sa.type_coerce(column, sa.types.NULLTYPE)
    field = declared_field(name, column.type, dialect)
    if field is None:
        return DeclaredColumn(
            RowColumn(pa.field(name, pa.string())), _class(value).is_not(None), value
        )
    for applies, out_of_range, through in _CHECKS:
        if applies(field.type):
            return DeclaredColumn(RowColumn(field, through), out_of_range(value, field.type), value)
    return DeclaredColumn(RowColumn(field), _class(value) != "text", value)


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

_CHECKS: tuple[
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
