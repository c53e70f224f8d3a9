"""What each column of a MySQL result becomes, by what the server says of it on the wire.

A table, a query over it and a dataset have the same wire types, so they have the same columns.
Values are read as the text that MySQL's own client prints, and made into the column's type by
Arrow; a value outside that type is no reason to guess: `odd` finds it beforehand, in SQL, and the
column is then text with the kind it was declared as.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pymysql.constants import FIELD_TYPE, FLAG

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as, declared_kind
from waybill.infra.sources.arrow_types import (
    HEXADECIMAL,
    INSTANT,
    MAX_DECIMAL_DIGITS,
    TIME,
    TIMESTAMP,
    declared_field,
    text_of,
)
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.mysql.connection import WireField
from waybill.infra.sources.mysql.well_known_text import well_known_text
from waybill.infra.sources.rows.columns import RowColumn, is_text

#: Digits of an unsigned 64-bit number.
_UNSIGNED_64 = pa.decimal128(20, 0)

#: As Arrow reads a number that a database wrote with a scale, before it makes it a whole one.
_WITH_FRACTION = pa.decimal128(MAX_DECIMAL_DIGITS, 9)

_Value = sa.ColumnElement[Any]

_REFUSED = (pa.ArrowException, ValueError, TypeError, OverflowError)


def _bits(raw: bytes) -> str:
    return str(int.from_bytes(raw, "big"))


@dataclass(frozen=True, slots=True)
class MysqlColumn(RowColumn):
    """One column: its field, and how the bytes on the wire become the values of it."""

    #: The text of a value whose bytes on the wire are not text.
    text: Callable[[bytes], str] | None = None
    #: SQL that is true for a value the field's type cannot hold, or sometimes null.
    odd: Callable[[_Value], _Value] | None = None
    #: The field instead, when there is such a value, or the values were not examined.
    otherwise: pa.Field | None = None

    def with_odd_values(self) -> MysqlColumn:
        """The column as it is read when some value is odd: text, with the kind declared."""
        return self if self.otherwise is None else replace(self, field=self.otherwise, odd=None)

    def array(self, values: pa.BinaryArray) -> pa.Array:
        """The bytes on the wire as one array of the field's type.

        Raises:
            SourceRejected: a value does not fit the declared type, and must not be changed to fit.
        """
        if self.text is not None:
            texts = [None if value is None else self.text(value) for value in values.to_pylist()]
            values = pa.array(texts, pa.string()).cast(pa.binary())
        for convert in _conversions(self.field):
            try:
                return convert(values)
            except _REFUSED:
                continue
        raise SourceRejected(
            f"Column {self.field.name!r} holds a value that does not fit its declared type."
        )

    def made_text(self, values: pa.BinaryArray, array: pa.Array) -> int:
        """How many of `values`, of which `array` was made, are bytes that are no text."""
        if self.text_types is None or not pc.any(pc.starts_with(array, HEXADECIMAL)).as_py():
            return 0
        return sum(not is_text(value) for value in values.to_pylist())


def _through(*types: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    def convert(raw: pa.Array) -> pa.Array:
        for arrow_type in types:
            raw = raw.cast(arrow_type)
        return raw

    return convert


def _times(raw: pa.Array) -> pa.Array:
    # Arrow reads a time of day only behind a date.
    moments = pc.binary_join_element_wise("1970-01-01", raw.cast(pa.string()), " ")
    return moments.cast(TIMESTAMP).cast(TIME)


def _texts(raw: pa.Array) -> pa.Array:
    """Texts with bytes that are no UTF-8, those written in hex."""
    return pa.array(
        [None if value is None else text_of(value) for value in raw.to_pylist()], pa.string()
    )


def _instant_texts(raw: pa.Array) -> pa.Array:
    """The session's zone is UTC; a zero date is in none."""
    texts = raw.cast(pa.string())
    with_offset = pc.binary_join_element_wise(texts, "+00:00", "")
    return pc.if_else(pc.starts_with(texts, "0000-00-00"), texts, with_offset)


def _conversions(field: pa.Field) -> Sequence[Callable[[pa.Array], pa.Array]]:
    """What to try, in this order, to make the values of `field` out of texts."""
    kind = field.type
    if pa.types.is_binary(kind):
        return (_through(),)
    if (field.metadata or {}) == _INSTANT_TEXT:
        return (_instant_texts,)
    if pa.types.is_string(kind):
        return (_through(pa.string()), _texts)
    if pa.types.is_time(kind):
        return (_times,)
    if kind == INSTANT:
        # The session's zone is UTC.
        return (_through(pa.string(), TIMESTAMP, INSTANT),)
    direct = _through(pa.string(), kind)
    if pa.types.is_integer(kind):
        return direct, _through(pa.string(), _WITH_FRACTION, kind)
    if pa.types.is_date(kind):
        return direct, _through(pa.string(), TIMESTAMP, kind)
    return (direct,)


def _impossible_date(value: _Value) -> _Value:
    """A zero date or year, or a day its month does not have, which a mode of MySQL allows."""
    day = sa.func.dayofmonth(value)
    return sa.or_(
        sa.func.year(value) == 0,
        sa.func.month(value) == 0,
        day == 0,
        day > sa.func.dayofmonth(sa.func.last_day(value)),
    )


def _impossible_time(value: _Value) -> _Value:
    return sa.or_(
        value < sa.literal_column("TIME '00:00:00'"), value >= sa.literal_column("TIME '24:00:00'")
    )


_INSTANT_TEXT = declared_as(DeclaredKind.INSTANT)

#: Types whose range is larger than Arrow's, or that of our formats: what they are, what finds a
#: value outside, and the kind of the column of texts that it makes.
_RANGED: dict[int, tuple[pa.DataType, Callable[[_Value], _Value], dict[bytes, bytes]]] = {
    FIELD_TYPE.DATE: (pa.date32(), _impossible_date, declared_as(DeclaredKind.DATE)),
    FIELD_TYPE.NEWDATE: (pa.date32(), _impossible_date, declared_as(DeclaredKind.DATE)),
    FIELD_TYPE.DATETIME: (TIMESTAMP, _impossible_date, declared_as(DeclaredKind.TIMESTAMP)),
    FIELD_TYPE.TIMESTAMP: (INSTANT, _impossible_date, _INSTANT_TEXT),
    # From -838 to 838 hours. A column that has such is one of durations, in every row.
    FIELD_TYPE.TIME: (TIME, _impossible_time, declared_as(DeclaredKind.INTERVAL)),
}

_INTEGERS = frozenset(
    {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.YEAR}
)
_JSON = declared_as(DeclaredKind.JSON)


def column(
    name: str, wire: WireField, declared: sa.types.TypeEngine[Any], dialect: sa.Dialect
) -> MysqlColumn:
    """How a column is read that is `wire` on the wire, and `declared` where it is selected.

    The declaration counts where a dataset's author means something else by the same values: a
    Boolean for ``tinyint(1)``, an Integer for a sum.
    """
    own = _wire_column(name, wire)
    field = declared_field(name, declared, dialect)
    if field is None or type(declared).__module__.startswith("sqlalchemy.dialects."):
        return own
    if isinstance(declared, sa.JSON):
        return replace(own, field=pa.field(name, pa.string(), metadata=_JSON))
    if _family(field) == _family(own.field):
        is_instant = field.type == INSTANT and own.field.type == TIMESTAMP
        return _as_instant(own) if is_instant else own
    if wire.type_code == FIELD_TYPE.GEOMETRY and not pa.types.is_binary(field.type):
        return own
    return replace(own, field=field, odd=None, otherwise=None)


def _as_instant(own: MysqlColumn) -> MysqlColumn:
    name = own.field.name
    texts = pa.field(name, pa.string(), metadata=_INSTANT_TEXT)
    return replace(own, field=pa.field(name, INSTANT), otherwise=texts)


def _family(field: pa.Field) -> str:
    """Types between which only the server knows the digits, or the zone."""
    if field.type == _UNSIGNED_64:
        return "int64"
    if pa.types.is_timestamp(field.type):
        return "timestamp"
    if pa.types.is_decimal(field.type) or declared_kind(field) is DeclaredKind.DECIMAL:
        return "decimal"
    return str(field.type)


def _wire_column(name: str, wire: WireField) -> MysqlColumn:
    code = wire.type_code
    if code in _INTEGERS:
        return MysqlColumn(pa.field(name, pa.int64()))
    if code == FIELD_TYPE.LONGLONG:
        unsigned = wire.flags & FLAG.UNSIGNED
        return MysqlColumn(pa.field(name, _UNSIGNED_64 if unsigned else pa.int64()))
    if code in {FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE}:
        return MysqlColumn(pa.field(name, pa.float64()))
    if code in {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}:
        return _decimal(name, wire)
    if code == FIELD_TYPE.BIT or wire.is_bit_literal:
        bits = wire.length if code == FIELD_TYPE.BIT else 8 * wire.length
        return MysqlColumn(pa.field(name, pa.int64() if bits < 64 else _UNSIGNED_64), text=_bits)
    if code in _RANGED:
        arrow_type, odd, marks = _RANGED[code]
        texts = pa.field(name, pa.string(), metadata=marks)
        return MysqlColumn(pa.field(name, arrow_type), odd=odd, otherwise=texts)
    if code == FIELD_TYPE.GEOMETRY:
        return MysqlColumn(pa.field(name, pa.string()), text=well_known_text)
    if code == FIELD_TYPE.JSON or wire.format_name == "json":
        return MysqlColumn(pa.field(name, pa.string(), metadata=_JSON))
    if wire.is_bytes:
        return MysqlColumn(pa.field(name, pa.binary()))
    return MysqlColumn(pa.field(name, pa.string()), text_types=())


def _decimal(name: str, wire: WireField) -> MysqlColumn:
    """A decimal of the digits that the server gives it: it counts a sign and a point as well.

    Sums and quotients have more digits than Arrow's decimals, of which their values use few.
    """
    scale = wire.scale
    signs = (not wire.flags & FLAG.UNSIGNED) + (scale > 0)
    digits = max(wire.length - signs, scale, 1)
    if digits <= MAX_DECIMAL_DIGITS:
        return MysqlColumn(pa.field(name, pa.decimal128(digits, scale)))
    marks = declared_as(DeclaredKind.DECIMAL, precision=digits, scale=scale)
    texts = pa.field(name, pa.string(), metadata=marks)
    if scale > MAX_DECIMAL_DIGITS:
        return MysqlColumn(texts)
    limit: _Value = sa.literal_column("1" + "0" * (MAX_DECIMAL_DIGITS - scale))
    return MysqlColumn(
        pa.field(name, pa.decimal128(MAX_DECIMAL_DIGITS, scale)),
        odd=lambda value: sa.func.abs(value) >= limit,
        otherwise=texts,
    )
