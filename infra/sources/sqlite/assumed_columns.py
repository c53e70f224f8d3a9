"""Columns that are taken to hold what they declare: each value is checked as it is read.

The rule for what a column declares is that of `column_types`, which asks SQLite about all values
before the first row is read. Arrow checks them in a fraction of the time. A column that is
refused here may still be right: then `column_types` has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from waybill.exporter.values.declared_kinds import declared_kind
from waybill.infra.sources.arrow_types import INSTANT, TIMESTAMP
from waybill.infra.sources.rows.columns import ARROW_REFUSED, NotAsDeclared, RowColumn

#: Decimals of as many units are exact in a double (IEEE 754).
_EXACT_IN_DOUBLE = 2**53
#: Powers of ten up to here are, too.
_MAX_SCALE = 22

#: Of ``YYYY-MM-DD HH:MM``, with seconds, and with one to six decimals. Arrow also reads dates
#: and hours alone, which a column of timestamps does not promise.
_TIMESTAMP_LENGTHS = pa.array([16, 19, 21, 22, 23, 24, 25, 26], pa.int32())
_DATE_LENGTHS = pa.array([10], pa.int32())

#: The first day Python has, in days and in microseconds since 1970.
_DAY_ONE = -719_162
_FIRST_MOMENT = _DAY_ONE * 86_400_000_000


@dataclass(frozen=True, slots=True)
class AssumedColumn(RowColumn):
    """One column whose values have to be what it declares, where texts are Python's `str`."""

    def array(self, values: Sequence[Any]) -> pa.Array:
        """`values` as one array.

        Raises:
            NotAsDeclared: some are not what the column declares.
        """
        kind = self.field.type
        try:
            # Arrow is not told a type: then it refuses values of several, and changes none.
            array = pa.array(values)
            if pa.types.is_null(array.type):
                return pa.nulls(len(values), kind)
            return _conversion(kind)(array, kind)
        except ARROW_REFUSED:
            raise NotAsDeclared from None

    def made_text(self, values: Sequence[Any], array: pa.Array) -> int:
        """None: what is no text is not as declared."""
        return 0


def assumed(column: RowColumn) -> AssumedColumn | None:
    """The same column, checked as it is read; None where that has to be done before."""
    kind = column.field.type
    is_plain_text = pa.types.is_string(kind) and declared_kind(column.field) is None
    fits = kind in _CONVERSIONS or (pa.types.is_decimal(kind) and kind.scale <= _MAX_SCALE)
    return AssumedColumn(column.field) if fits or is_plain_text else None


def _conversion(kind: pa.DataType) -> Callable[[pa.Array, pa.DataType], pa.Array]:
    return _decimals if pa.types.is_decimal(kind) else _CONVERSIONS.get(kind, _same)


def _same(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type != kind:
        raise NotAsDeclared
    return array


def _booleans(array: pa.Array, kind: pa.DataType) -> pa.Array:
    # It takes its time to load.
    import pyarrow.compute as pc

    limits = pc.min_max(_same(array, pa.int64()))
    if limits["min"].as_py() < 0 or limits["max"].as_py() > 1:
        raise NotAsDeclared
    return array.cast(kind)


def _doubles(array: pa.Array, _: pa.DataType) -> pa.Array:
    # Refuses integers that a double does not hold.
    return _same(array.cast(pa.float64()) if pa.types.is_int64(array.type) else array, pa.float64())


def _decimals(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Doubles that are the nearest ones to numbers of as many decimals as declared."""
    import pyarrow.compute as pc

    doubles, units = _doubles(array, kind), float(10**kind.scale)
    limits = pc.min_max(doubles)
    largest = min(10 ** (kind.precision - kind.scale), _EXACT_IN_DOUBLE / units)
    nearest = pc.divide(pc.round(pc.multiply(doubles, units)), units)
    if (
        limits["min"].as_py() < -largest
        or limits["max"].as_py() > largest
        or not pc.all(pc.equal(nearest, doubles)).as_py()
    ):
        raise NotAsDeclared
    return doubles.cast(kind)


def _dates(array: pa.Array, kind: pa.DataType) -> pa.Array:
    dates = _of_lengths(array, _DATE_LENGTHS).cast(kind)
    _check_first(dates.cast(pa.int32()), _DAY_ONE)
    return dates


def _timestamps(array: pa.Array, kind: pa.DataType) -> pa.Array:
    moments = _of_lengths(array, _TIMESTAMP_LENGTHS).cast(TIMESTAMP)
    _check_first(moments.cast(pa.int64()), _FIRST_MOMENT)
    # SQLAlchemy leaves the offset out of instants, and means UTC.
    return moments.cast(kind)


def _of_lengths(array: pa.Array, lengths: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    found = pc.unique(pc.binary_length(_same(array, pa.string()))).drop_null()
    if not pc.all(pc.is_in(found, lengths)).as_py():
        raise NotAsDeclared
    return array


def _check_first(numbers: pa.Array, least: int) -> None:
    """SQLite has a year 0, and so has Arrow; formats and Python begin with year 1."""
    import pyarrow.compute as pc

    if pc.min(numbers).as_py() < least:
        raise NotAsDeclared


_CONVERSIONS: dict[pa.DataType, Callable[[pa.Array, pa.DataType], pa.Array]] = {
    pa.bool_(): _booleans,
    pa.int64(): _same,
    pa.float64(): _doubles,
    pa.binary(): _same,
    pa.date32(): _dates,
    TIMESTAMP: _timestamps,
    INSTANT: _timestamps,
}
