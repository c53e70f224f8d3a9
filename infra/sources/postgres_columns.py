"""How the columns of one PostgreSQL query are read: what to select, and what comes out.

The server describes the statement; the table in `types` says how each type is read; and one
pass over the rows, which also counts them, finds the columns with a value their Arrow type
cannot hold (``infinity``, 44 BC, NaN in a ``numeric(10, 2)``), which become text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from waybill.infra.sources.errors import SourceRejected, by_sqlstate
from waybill.infra.sources.types import AS_JSON, AS_TEXT, POSTGRES, PostgresType, decimal_field

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
    reading: PostgresType

    @property
    def sql_name(self) -> sql.Identifier:
        """What the column is called inside our own statements, whatever its real name is."""
        return sql.Identifier(f"c{self.position}")

    def as_text(self) -> PostgresColumn:
        """The same column, read as the text PostgreSQL writes."""
        return replace(self, field=pa.field(self.field.name, pa.string()), reading=AS_TEXT)

    def convert(self, array: pa.Array) -> pa.Array:
        """The driver's array as the promised type.

        Raises:
            SourceRejected: a value does not fit. Only without a first pass over the rows, or
                when the query gives other rows each time it runs.
        """
        try:
            result = array.cast(self.field.type)
        except pa.ArrowInvalid:
            raise self._misfit() from None
        if self.reading.limits is not None:
            extremes = pc.min_max(result)
            lowest, highest = self.reading.limits
            if extremes["min"].is_valid and (
                extremes["min"].value < lowest or extremes["max"].value > highest
            ):
                raise self._misfit()
        return result

    def _misfit(self) -> SourceRejected:
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
    reading = POSTGRES.get(name, AS_TEXT)
    if pa.types.is_nested(announced.type):
        reading = AS_JSON
    elif reading.select == "{0}" and reading.arrow != announced.type:
        # Somebody's own type that has the name of a built-in one.
        reading = AS_TEXT
    elif name == "numeric" and modifier >= 0:
        field = decimal_field(announced.name, *_precision_and_scale(modifier))
        if pa.types.is_decimal(field.type):
            return PostgresColumn(position, field, replace(reading, misfit="{0} = 'NaN'"))
    field = pa.field(announced.name, reading.arrow, metadata=reading.metadata)
    return PostgresColumn(position, field, reading)


def _precision_and_scale(modifier: int) -> tuple[int, int]:
    value = modifier - _MODIFIER_OFFSET
    scale = value & _SCALE_BITS
    return value >> 16, scale - 2 * (scale & _SCALE_SIGN)


def survey(statement: sql.SQL, columns: Sequence[PostgresColumn]) -> sql.Composed:
    """Count the rows, and tell for each column that has a `misfit` whether one is there."""
    answers = [
        sql.SQL("coalesce(bool_or({}), false)").format(
            sql.SQL(column.reading.misfit).format(column.sql_name)
        )
        for column in columns
        if column.reading.misfit
    ]
    return _select([sql.SQL("count(*)"), *answers], statement, columns)


def settle(columns: Sequence[PostgresColumn], answers: Sequence[bool]) -> list[PostgresColumn]:
    """The columns as they will be read, given the answers of a `survey`."""
    remaining = iter(answers)
    return [
        column.as_text() if column.reading.misfit and next(remaining) else column
        for column in columns
    ]


def reading_of(statement: sql.SQL, columns: Sequence[PostgresColumn]) -> sql.Composable:
    """The statement to read: the query itself, or around it what its types need.

    The order of the rows is the query's own: PostgreSQL neither flattens a sorted subquery
    nor reorders rows above one that is only projected.
    """
    if all(column.reading.select == "{0}" for column in columns):
        # The line break ends a comment in the query's last line.
        return sql.Composed([statement, sql.SQL("\n")])
    selected = [sql.SQL(column.reading.select).format(column.sql_name) for column in columns]
    return _select(selected, statement, columns)


def _select(
    expressions: Sequence[sql.Composable], statement: sql.SQL, columns: Sequence[PostgresColumn]
) -> sql.Composed:
    return sql.SQL("SELECT {} FROM ({}\n) AS waybill_rows ({})").format(
        sql.SQL(", ").join(expressions),
        statement,
        sql.SQL(", ").join(column.sql_name for column in columns),
    )
