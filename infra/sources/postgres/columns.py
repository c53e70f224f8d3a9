"""The columns of one PostgreSQL query: the expression selected for each, and its Arrow type.

The server describes the statement; the table in `arrow_types` says how each type is read; and one
pass over the rows, which also counts them, finds the columns with a value their Arrow type
cannot hold (``infinity``, 44 BC, NaN in a ``numeric(10, 2)``), which become text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from waybill.infra.sources.arrow_types import (
    AS_JSON,
    AS_TEXT,
    POSTGRES,
    PostgresType,
    decimal_field,
)
from waybill.infra.sources.errors import SourceRejected, by_sqlstate

#: PostgreSQL adds this to a type modifier, so that -1 can mean "none". (`VARHDRSZ`)
_MODIFIER_OFFSET = 4
#: The scale of a numeric is a signed number of 11 bits. (`numeric_typmod_scale`)
_SCALE_BITS = 0x7FF
_SCALE_SIGN = 0x400


@dataclass(frozen=True, slots=True)
class PostgresColumn:
    """One column of the query, in its place."""

    position: int
    field: pa.Field
    read_as: PostgresType

    @property
    def sql_name(self) -> sql.Identifier:
        """What the column is called inside our own statements, whatever its real name is."""
        return sql.Identifier(f"c{self.position}")

    def as_text(self) -> PostgresColumn:
        """The same column, read as the text PostgreSQL writes."""
        return replace(self, field=pa.field(self.field.name, pa.string()), read_as=AS_TEXT)

    def convert(self, array: pa.Array) -> pa.Array:
        """The driver's array as the promised type.

        Raises:
            SourceRejected: a value does not fit. Only without a first pass over the rows, or
                when the query gives other rows each time it runs.
        """
        try:
            result = array.cast(self.field.type)
        except pa.ArrowInvalid:
            raise self._out_of_range() from None
        if self.read_as.limits is not None:
            extremes = pc.min_max(result)
            lowest, highest = self.read_as.limits
            if extremes["min"].is_valid and (
                extremes["min"].value < lowest or extremes["max"].value > highest
            ):
                raise self._out_of_range()
        return result

    def _out_of_range(self) -> SourceRejected:
        return SourceRejected(
            f"Column {self.field.name!r} holds a value outside the range of its type."
        )


def describe(schema: pa.Schema) -> list[PostgresColumn]:
    """The columns the driver announces, each with the way it is read.

    Raises:
        SourceRejected: the statement returns no columns, so it is not a query.
    """
    if not schema.names:
        raise by_sqlstate("42601")
    return [_describe(position, field) for position, field in enumerate(schema)]


def _describe(position: int, announced: pa.Field) -> PostgresColumn:
    metadata = announced.metadata or {}
    name = metadata.get(b"POSTGRESQL:type", b"").decode()
    modifier = int(metadata.get(b"POSTGRESQL:typmod", b"-1"))
    read_as = POSTGRES.get(name, AS_TEXT)
    if pa.types.is_nested(announced.type):
        read_as = AS_JSON
    elif read_as.select == "{0}" and read_as.arrow != announced.type:
        # A user-defined type with the name of a built-in one.
        read_as = AS_TEXT
    elif name == "numeric" and modifier >= 0:
        field = decimal_field(announced.name, *_precision_and_scale(modifier))
        if pa.types.is_decimal(field.type):
            return PostgresColumn(position, field, replace(read_as, out_of_range="{0} = 'NaN'"))
    field = pa.field(announced.name, read_as.arrow, metadata=read_as.metadata)
    return PostgresColumn(position, field, read_as)


def _precision_and_scale(modifier: int) -> tuple[int, int]:
    value = modifier - _MODIFIER_OFFSET
    scale = value & _SCALE_BITS
    return value >> 16, scale - 2 * (scale & _SCALE_SIGN)


def type_check_query(statement: sql.SQL, columns: Sequence[PostgresColumn]) -> sql.Composed:
    """A query that counts the rows, and says which checked columns hold a value out of range."""
    answers = [
        sql.SQL("coalesce(bool_or({}), false)").format(
            sql.SQL(column.read_as.out_of_range).format(column.sql_name)
        )
        for column in columns
        if column.read_as.out_of_range
    ]
    return _select([sql.SQL("count(*)"), *answers], statement, columns)


def resolve_types(
    columns: Sequence[PostgresColumn], answers: Sequence[bool]
) -> list[PostgresColumn]:
    """The columns as they will be read, given the answers to a `type_check_query`."""
    remaining = iter(answers)
    return [
        column.as_text() if column.read_as.out_of_range and next(remaining) else column
        for column in columns
    ]


def select_query(statement: sql.SQL, columns: Sequence[PostgresColumn]) -> sql.Composable:
    """The statement that reads the rows: the query itself, or one around it that casts columns.

    The order of the rows is the query's own: PostgreSQL neither flattens a sorted subquery
    nor reorders rows above one that is only projected.
    """
    if all(column.read_as.select == "{0}" for column in columns):
        # The line break ends a comment in the query's last line.
        return sql.Composed([statement, sql.SQL("\n")])
    selected = [sql.SQL(column.read_as.select).format(column.sql_name) for column in columns]
    return _select(selected, statement, columns)


def _select(
    expressions: Sequence[sql.Composable], statement: sql.SQL, columns: Sequence[PostgresColumn]
) -> sql.Composed:
    return sql.SQL("SELECT {} FROM ({}\n) AS waybill_rows ({})").format(
        sql.SQL(", ").join(expressions),
        statement,
        sql.SQL(", ").join(column.sql_name for column in columns),
    )
