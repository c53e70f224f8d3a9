"""MariaDB as a source: its own types, its impossible dates, and typed columns without a type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.arrow_types import INSTANT, TIME, TIMESTAMP
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.operator_queries import table_query, text_query

#: Declaration, SQL of a value, the Arrow type of the column, and the value that arrives.
TYPES = [
    ("boolean", "true", pa.int64(), 1),
    ("tinyint unsigned", "255", pa.int64(), 255),
    ("bigint", "-9223372036854775808", pa.int64(), -(2**63)),
    ("bigint unsigned", "18446744073709551615", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    ("decimal(12, 2)", "1.50", pa.decimal128(12, 2), Decimal("1.50")),
    ("decimal(50, 3)", "1.5", pa.decimal128(38, 3), Decimal("1.500")),
    ("double", "0.1", pa.float64(), 0.1),
    ("varchar(20)", "'客户 🙂'", pa.string(), "客户 🙂"),
    ("blob", "x'00ff'", pa.binary(), b"\x00\xff"),
    ("date", "'2024-02-29'", pa.date32(), dt.date(2024, 2, 29)),
    ("date", "'0000-00-00'", pa.string(), "0000-00-00"),
    ("date", "'2024-00-00'", pa.string(), "2024-00-00"),
    ("datetime(6)", "'9999-12-31 23:59:59.999999'", TIMESTAMP, "9999-12-31 23:59:59.999999"),
    ("datetime", "'0000-00-00 00:00:00'", pa.string(), "0000-00-00 00:00:00"),
    (
        "timestamp(6)",
        "'2024-10-27 01:30:00.000005'",
        INSTANT,
        dt.datetime(2024, 10, 27, 1, 30, 0, 5, tzinfo=dt.UTC),
    ),
    ("time(6)", "'23:59:59.999999'", TIME, dt.time.max),
    ("time", "'-838:59:59'", pa.string(), "-838:59:59"),
    ("time(2)", "'36:15:00'", pa.string(), "36:15:00.00"),
    ("time(1)", "'-00:00:00.5'", pa.string(), "-00:00:00.5"),
    ("year", "2024", pa.int64(), 2024),
    ("enum('a', 'b')", "'b'", pa.string(), "b"),
    ("set('x', 'y')", "'x,y'", pa.string(), "x,y"),
    ("json", """'{"a":  1}'""", pa.string(), '{"a":  1}'),
    ("decimal(50, 3)", "repeat('9', 47)", pa.string(), "9" * 47 + ".000"),
    ("int(5) zerofill", "42", pa.int64(), 42),
    ("bit(1)", "b'1'", pa.int64(), 1),
    ("bit(3)", "b'101'", pa.int64(), 5),
    ("bit(64)", "~0", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    ("point", "point(7.19, 43.72)", pa.string(), "POINT(7.19 43.72)"),
    ("inet6", "'::1'", pa.string(), "::1"),
    ("varchar(9) charset latin1", "'é€'", pa.string(), "é€"),
    ("varchar(9) collate utf8mb4_bin", "'é🙂'", pa.string(), "é🙂"),
    ("varbinary(3)", "'ab'", pa.binary(), b"ab"),
    ("date", "'0000-05-01'", pa.string(), "0000-05-01"),
    ("timestamp", "'0000-00-00'", pa.string(), "0000-00-00 00:00:00"),
    (
        "uuid",
        "'123e4567-e89b-12d3-a456-426614174000'",
        pa.string(),
        "123e4567-e89b-12d3-a456-426614174000",
    ),
]


@pytest.fixture(scope="module")
def url(mariadb_server) -> Iterator[str]:
    with mariadb_server.database() as url:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            # The values are meant in UTC, and strict mode would refuse some of them.
            connection.exec_driver_sql("SET time_zone = '+00:00', sql_mode = ''")
            for n, (declared, value, _, _) in enumerate(TYPES):
                connection.exec_driver_sql(f"CREATE TABLE t{n} (id int PRIMARY KEY, x {declared})")
                table = sa.table(f"t{n}", sa.column("id"), sa.column("x"))
                connection.execute(
                    table.insert().from_select(
                        ["id", "x"], sa.select(sa.literal(1), sa.literal_column(value))
                    )
                )
                connection.execute(table.insert().values(id=2, x=None))
        yield url


def read(url: str, query: sa.Select | sa.TextClause) -> pa.Table:
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema)


@pytest.mark.parametrize(("n", "kind", "value"), [(n, *row[2:]) for n, row in enumerate(TYPES)])
def test_a_declared_type_arrives_exactly(url, n, kind, value):
    table = read(url, table_query(url, f"t{n}"))
    column = table["x"]

    assert column.type == kind
    arrived = column[0].as_py()
    assert (str(arrived) if kind == TIMESTAMP else arrived) == value
    # MariaDB gives a `timestamp` that is set to null the current time.
    assert column[1].as_py() is None or TYPES[n][0].startswith("timestamp")
    for sql in (
        "SELECT * FROM here",
        "SELECT * FROM here ORDER BY id LIMIT 2",
        "SELECT * FROM here UNION ALL SELECT * FROM here WHERE false",
        "SELECT * FROM (SELECT * FROM here LIMIT 2) AS some",
    ):
        assert_same(read(url, text_query(sql.replace("here", f"t{n}"))), table)


def assert_same(table: pa.Table, expected: pa.Table) -> None:
    assert table.schema.equals(expected.schema, check_metadata=True)
    assert table.equals(expected)


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("1", pa.int64(), 1),
        ("1.50", pa.decimal128(3, 2), Decimal("1.50")),
        ("1e0", pa.float64(), 1.0),
        ("'x'", pa.string(), "x"),
        ("x'00ff'", pa.binary(), b"\x00\xff"),
        ("18446744073709551615", pa.decimal128(20, 0), Decimal(2**64 - 1)),
        ("date '2024-02-29'", pa.date32(), dt.date(2024, 2, 29)),
        ("null", pa.string(), None),
    ],
)
def test_a_query_has_the_types_that_the_server_says(url, sql, kind, value):
    table = read(url, text_query(f"SELECT null AS x UNION ALL SELECT {sql}"))

    assert table["x"].type == kind
    assert sorted(table["x"].to_pylist(), key=str) == sorted([None, value], key=str)


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("b'1'", pa.int64(), 1),
        ("B'101'", pa.int64(), 5),
        ("0b11", pa.int64(), 3),
        ("b'" + "1" * 64 + "'", pa.decimal128(20, 0), Decimal(2**64 - 1)),
        ("x'00ff'", pa.binary(), b"\x00\xff"),
        ("'%b''1'' '", pa.string(), "%b'1' "),
    ],
)
def test_a_literal_of_bits_is_a_number(url, sql, kind, value):
    column = read(url, text_query(f"SELECT {sql} AS x"))["x"]

    assert (column.type, column[0].as_py()) == (kind, value)


def test_a_sum_declared_as_an_integer_is_one(url):
    total = sa.select(sa.func.sum(sa.literal_column("id", sa.Integer)).label("n"))

    assert read(url, total.select_from(sa.text("t0")))["n"].to_pylist() == [3]


def test_a_value_that_contradicts_its_declaration_is_refused_by_name(url):
    wrong = sa.select(sa.literal_column("'abc'", sa.Integer).label("n")).select_from(sa.text("t0"))

    with pytest.raises(SourceRejected, match="'n' holds a value that does not fit"):
        read(url, wrong)


@pytest.mark.parametrize(
    "sql", ["SELECT id, id FROM t0", "SELECT 1 INTO OUTFILE '/tmp/rows'", "SELECT sleep(0) FROM"]
)
def test_a_query_that_cannot_be_read_is_rejected(url, sql):
    with pytest.raises(SourceRejected):
        read(url, text_query(sql))
