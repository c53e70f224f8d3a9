"""The columns of one PostgreSQL query: the expression selected for each, and its Arrow type.

The server describes the statement; the table in `arrow_types` says how each type is read; and one
pass over the rows, which also counts them, finds the columns with a value their Arrow type
cannot hold (``infinity``, 44 BC, NaN in a ``numeric(10, 2)``), which become text of their declared
kind, and the scale of the numbers that were declared without one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.infra.sources.arrow_types import (
    AS_JSON,
    AS_TEXT,
    MAX_DECIMAL_DIGITS,
    MONEY_ARRAY,
    POSTGRES,
    POSTGRES_ARRAYS,
    PostgresType,
    decimal_field,
)
from waybill.infra.sources.errors import SourceRejected, by_sqlstate

#: PostgreSQL adds this to a type modifier, so that -1 can mean "none". (`VARHDRSZ`)
_MODIFIER_OFFSET = 4
#: The scale of a numeric is a signed number of 11 bits. (`numeric_typmod_scale`)
_SCALE_BITS = 0x7FF
_SCALE_SIGN = 0x400

#: A type the driver has no name for.
_UNKNOWN = re.compile(r"unnamed<oid:([0-9]+)>")

#: Well-formed UTF-8, each byte two digits. (Unicode 15, table 3-7)
_UTF_8_IN_HEX = (
    "^(?:[0-7].|(?:c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|e[1-9a-cef](?:[89ab].){2}|ed[89].[89ab]."
    "|f0[9ab].(?:[89ab].){2}|f[1-3](?:[89ab].){3}|f48.(?:[89ab].){2})*$"
)

#: The scale all the values of a number need, if 38 digits hold every one with it; else null. NaN
#: is above all numbers in PostgreSQL, and so is never held.
_SCALE_THAT_FITS = """
CASE
    WHEN pg_catalog.count({0}) = 0 THEN 0
    WHEN pg_catalog.max(pg_catalog.scale({0})) <= 38
        AND pg_catalog.max(pg_catalog.abs({0})) < pg_catalog.power(
            10::pg_catalog.numeric,
            (38 - pg_catalog.max(pg_catalog.scale({0})))::pg_catalog.numeric
        )
        THEN pg_catalog.max(pg_catalog.scale({0}))
END
"""


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

    @property
    def check(self) -> sql.Composable | None:
        """An aggregate of all rows, whose answer `resolve` takes; None where there is no doubt."""
        if self.read_as.number is not None:
            number = sql.SQL(self.read_as.number).format(self.sql_name)
            return sql.SQL(_SCALE_THAT_FITS).format(number)
        if self.read_as.out_of_range is not None:
            odd = sql.SQL(self.read_as.out_of_range).format(self.sql_name)
            return sql.SQL("coalesce(pg_catalog.bool_or({}), false)").format(odd)
        return None

    def resolve(self, answer: Any) -> PostgresColumn:
        """The column as it will be read, given the answer to its `check`."""
        if self.read_as.number is not None:
            if answer is None:
                return self
            decimal = pa.decimal128(MAX_DECIMAL_DIGITS, answer)
            return replace(self, field=pa.field(self.field.name, decimal))
        if not answer:
            return self
        return _column(self.position, self.field.name, self.read_as.otherwise or AS_TEXT)

    def uncounted(self) -> PostgresColumn:
        """How to read the column without a pass over the rows first.

        A list might flatten what is nested, so it is JSON then; all else ends at its first value
        out of range.
        """
        if pa.types.is_list(self.field.type):
            return self.resolve(True)
        return self

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


def describe(schema: pa.Schema, other_arrays: Set[str] = frozenset()) -> list[PostgresColumn]:
    """The columns the driver announces, each with the way it is read.

    `other_arrays` are those of the `unknown_types` that are arrays.

    Raises:
        SourceRejected: the statement returns no columns, so it is not a query.
    """
    if not schema.names:
        raise by_sqlstate("42601")
    return [_describe(position, field, other_arrays) for position, field in enumerate(schema)]


def _describe(position: int, announced: pa.Field, other_arrays: Set[str]) -> PostgresColumn:
    metadata = announced.metadata or {}
    name = metadata.get(b"POSTGRESQL:type", b"").decode()
    modifier = int(metadata.get(b"POSTGRESQL:typmod", b"-1"))
    read_as = POSTGRES.get(name, AS_TEXT)
    if pa.types.is_nested(announced.type):
        read_as = _nested(name, announced.type)
    elif name in other_arrays:
        read_as = AS_JSON
    elif _is_of_another_type(read_as, announced.type):
        # A user-defined type with the name of a built-in one.
        read_as = AS_TEXT
    elif name == "numeric" and modifier >= 0:
        precision, scale = _precision_and_scale(modifier)
        field = decimal_field(announced.name, precision, scale)
        marks = declared_as(DeclaredKind.DECIMAL, precision=precision, scale=scale)
        as_text = replace(read_as, number=None, metadata=marks)
        if not pa.types.is_decimal(field.type):
            return _column(position, announced.name, replace(read_as, metadata=marks))
        read_as = replace(
            as_text,
            arrow=field.type,
            out_of_range="{0} = 'NaN'",
            metadata=None,
            otherwise=as_text,
        )
    return _column(position, announced.name, read_as)


def _nested(name: str, announced: pa.DataType) -> PostgresType:
    if name == "_money":
        return MONEY_ARRAY
    read_as = POSTGRES_ARRAYS.get(name, AS_JSON)
    is_built_in = pa.types.is_list(read_as.arrow) and (
        announced.value_type == read_as.arrow.value_type
    )
    return read_as if is_built_in else AS_JSON


def _column(position: int, name: str, read_as: PostgresType) -> PostgresColumn:
    field = pa.field(name, read_as.arrow, metadata=read_as.metadata)
    return PostgresColumn(position, field, read_as)


def _is_of_another_type(read_as: PostgresType, announced: pa.DataType) -> bool:
    if read_as.announced is not None:
        return bool(read_as.announced != announced)
    return read_as.select == "{0}" and bool(read_as.arrow != announced)


def _precision_and_scale(modifier: int) -> tuple[int, int]:
    value = modifier - _MODIFIER_OFFSET
    scale = value & _SCALE_BITS
    return value >> 16, scale - 2 * (scale & _SCALE_SIGN)


def unknown_types(schema: pa.Schema) -> list[str]:
    """The names of the types that the driver does not know: all it tells of them is a number."""
    names = {(field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in schema}
    return sorted(name for name in names if _UNKNOWN.fullmatch(name))


def arrays_query(names: Sequence[str]) -> sql.Composable:
    """A query for those of the `unknown_types` that are arrays: of ranges, enums, domains, …."""
    numbers = (_UNKNOWN.sub(r"\1", name) for name in names)
    return sql.SQL(
        "SELECT 'unnamed<oid:' || oid || '>' AS name FROM pg_catalog.pg_type"
        " WHERE oid IN ({}) AND typcategory = 'A' AND typelem <> 0"
    ).format(sql.SQL(", ").join(map(sql.SQL, numbers)))


def type_check_query(statement: sql.Composable, columns: Sequence[PostgresColumn]) -> sql.Composed:
    """A query that counts the rows, and asks the `check` of every column that has one."""
    checks = [check for column in columns if (check := column.check) is not None]
    return _select([sql.SQL("pg_catalog.count(*)"), *checks], statement, columns)


def resolve_types(
    columns: Sequence[PostgresColumn], answers: Sequence[Any]
) -> list[PostgresColumn]:
    """The columns as they will be read, given the answers to a `type_check_query`."""
    remaining = iter(answers)
    return [
        column if column.check is None else column.resolve(next(remaining)) for column in columns
    ]


def bytes_query(statement: sql.SQL, columns: Sequence[PostgresColumn]) -> sql.Composed:
    """Which columns hold bytes that are not UTF-8. Only where the database does not see to it."""
    answers = [
        sql.SQL("coalesce(pg_catalog.bool_or({} !~ {}), false)").format(
            sql.SQL(
                "pg_catalog.encode(pg_catalog.convert_to({}::pg_catalog.text, 'SQL_ASCII'), 'hex')"
            ).format(column.sql_name),
            sql.Literal(_UTF_8_IN_HEX),
        )
        for column in columns
    ]
    return _select(answers, statement, columns)


def refuse_bytes(columns: Sequence[PostgresColumn], answers: Sequence[bool]) -> None:
    """Refuse what a `bytes_query` found.

    Raises:
        SourceRejected: names the column, and how to say what its bytes are.
    """
    for column, found in zip(columns, answers, strict=True):
        if found:
            raise SourceRejected(
                f"Column {column.field.name!r} holds bytes that are not UTF-8, and the database's"
                " encoding, SQL_ASCII, does not say what they are. If they are LATIN1, select"
                " convert_from(convert(convert_to(column, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'UTF8')."
            )


def select_query(statement: sql.Composable, columns: Sequence[PostgresColumn]) -> sql.Composable:
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
    expressions: Sequence[sql.Composable],
    statement: sql.Composable,
    columns: Sequence[PostgresColumn],
) -> sql.Composed:
    return sql.SQL("SELECT {} FROM ({}\n) AS waybill_rows ({})").format(
        sql.SQL(", ").join(expressions),
        statement,
        sql.SQL(", ").join(column.sql_name for column in columns),
    )
