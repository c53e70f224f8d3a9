"""Every PostgreSQL type leaves exact, or as text that says what it is; none ends an export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.arrow_types import DECIMAL_TEXT, INSTANT, TIME, TIMESTAMP
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.operator_queries import text_query

_TEXT = pa.string()

#: SQL of a value, the Arrow type of its column, and the value that arrives.
PLAIN = [
    ("true", pa.bool_(), True),
    ("7::int2", pa.int16(), 7),
    ("-2147483648", pa.int32(), -(2**31)),
    ("9223372036854775807", pa.int64(), 2**63 - 1),
    ("4294967295::oid", pa.int64(), 2**32 - 1),
    ("1.5::float4", pa.float32(), 1.5),
    ("'-Infinity'::float8", pa.float64(), float("-inf")),
    ("5e-324::float8", pa.float64(), 5e-324),
    ("'x'::text", _TEXT, "x"),
    ("'ab'::char(4)", _TEXT, "ab  "),
    ("'x'::varchar(9)", _TEXT, "x"),
    ("'x'::name", _TEXT, "x"),
    ("'x'::\"char\"", _TEXT, "x"),
    ("null", _TEXT, None),
    ("decode('00ff', 'hex')", pa.binary(), b"\x00\xff"),
    ("pg_catalog.date '2024-02-29'", pa.date32(), dt.date(2024, 2, 29)),
    ("pg_catalog.date '0001-01-01'", pa.date32(), dt.date.min),
    ("pg_catalog.date '9999-12-31'", pa.date32(), dt.date.max),
    ("timestamp '0001-01-01'", TIMESTAMP, dt.datetime.fromisoformat("0001-01-01")),
    (
        "timestamp '9999-12-31 23:59:59.999999'",
        TIMESTAMP,
        dt.datetime.fromisoformat("9999-12-31 23:59:59.999999"),
    ),
    (
        "timestamptz '2024-10-27 03:30+02'",
        INSTANT,
        dt.datetime(2024, 10, 27, 1, 30, tzinfo=dt.UTC),
    ),
    ("time '23:59:59.999999'", TIME, dt.time.max),
]

DECIMALS = [
    ("1.50::numeric(10,2)", pa.decimal128(10, 2), Decimal("1.50")),
    ("(-0.01)::numeric(4,2)", pa.decimal128(4, 2), Decimal("-0.01")),
    ("1234::numeric(5,-2)", pa.decimal128(7, 0), Decimal("1200")),
    ("0.00012::numeric(2,5)", pa.decimal128(5, 5), Decimal("0.00012")),
    (f"{'9' * 36}.99::numeric(38,2)", pa.decimal128(38, 2), Decimal("9" * 36 + ".99")),
]

DECIMAL_TEXTS = [
    ("0.1234567890123456789::numeric", "0.1234567890123456789"),
    ("1.500::numeric", "1.500"),
    ("1e30::numeric", "1" + "0" * 30),
    ("1e-20::numeric", "0." + "0" * 19 + "1"),
    ("'NaN'::numeric", "NaN"),
    ("'Infinity'::numeric", "Infinity"),
    (f"{'9' * 40}::numeric(40,0)", "9" * 40),
    ("'12.3'::money", "12.30"),
]

TEXTS = [
    ("'NaN'::numeric(10,2)", "NaN"),
    ("pg_catalog.date 'infinity'", "infinity"),
    ("pg_catalog.date '-infinity'", "-infinity"),
    ("pg_catalog.date '0044-03-15 BC'", "0044-03-15 BC"),
    ("pg_catalog.date '10000-01-01'", "10000-01-01"),
    ("pg_catalog.date '5874897-12-31'", "5874897-12-31"),
    ("timestamp 'infinity'", "infinity"),
    ("timestamp '4713-01-01 BC'", "4713-01-01 00:00:00 BC"),
    ("timestamp '294276-12-31 23:59:59'", "294276-12-31 23:59:59"),
    ("timestamptz '-infinity'", "-infinity"),
    ("timestamptz '10000-01-01 00:00Z'", "10000-01-01 00:00:00+00"),
    ("time '24:00'", "24:00:00"),
    ("timetz '10:00+05:30'", "10:00:00+05:30"),
    ("interval '1 mon -2 days 30:00'", "P1M-2DT30H"),
    ("interval '1000 years 300000000 hours'", "P1000YT300000000H"),
    ("uuid '123e4567-e89b-12d3-a456-426614174000'", "123e4567-e89b-12d3-a456-426614174000"),
    ("json '{\"a\":  1}'", '{"a":  1}'),
    ("jsonb '{\"a\":1e2}'", '{"a": 100}'),
    ("xml '<a/>'", "<a/>"),
    ("array[1,null,3]", "[1,null,3]"),
    ("array[[1,2],[3,4]]", "[[1,2],[3,4]]"),
    ("'[2:3]={1,2}'::int[]", "[1,2]"),
    ("array['a \"quote\"', 'é']", '["a \\"quote\\"","é"]'),
    ("array[1.50]", "[1.50]"),
    ("row(1, 'x')", '{"f1":1,"f2":"x"}'),
    ("(select t from (select 1 as a, null as b) t)", '{"a":1,"b":null}'),
    ("int4range(1, 3)", "[1,3)"),
    ("int4multirange(int4range(1, 2))", "{[1,2)}"),
    ("inet '10.1.2.3'", "10.1.2.3"),
    ("inet '10.1.2.3/8'", "10.1.2.3/8"),
    ("cidr '10.0.0.0/8'", "10.0.0.0/8"),
    ("macaddr '08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
    ("B'101'", "101"),
    ("B'101'::varbit", "101"),
    ("point(1, 2)", "(1,2)"),
    ("'a b'::tsvector", "'a' 'b'"),
    ("'pg_class'::regclass", "pg_class"),
    ("'$.a'::jsonpath", '$."a"'),
    ("'0/1'::pg_lsn", "0/1"),
    ("'(0,1)'::tid", "(0,1)"),
    ("'1 2'::int2vector", "[1,2]"),
    ("'calm'::mood", "calm"),
    ("'stormy'::\"date\"", "stormy"),
    ("'key=>value'::hstore", '"key"=>"value"'),
    ("'MiXed'::citext", "MiXed"),
    ("pg_sleep(0)", ""),
]


@pytest.fixture(scope="module")
def url(postgres_server) -> Iterator[str]:
    """A database that is set up to print everything differently from what is promised."""
    with postgres_server.database() as url:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in (
                "CREATE EXTENSION hstore",
                "CREATE EXTENSION citext",
                "CREATE TYPE mood AS ENUM ('calm')",
                # Somebody's own type with a famous name.
                "CREATE TYPE public.date AS ENUM ('stormy')",
                "CREATE DOMAIN positive AS int CHECK (value > 0)",
            ):
                connection.exec_driver_sql(statement)
            name = sa.make_url(url).database
            for setting in (
                "timezone TO 'Asia/Kolkata'",
                "datestyle TO 'SQL, DMY'",
                "intervalstyle TO 'sql_standard'",
                "bytea_output TO 'escape'",
                "extra_float_digits TO -15",
                "standard_conforming_strings TO off",
                "search_path TO public, pg_catalog",
            ):
                connection.exec_driver_sql(f"ALTER DATABASE {name} SET {setting}")
        yield url


def read(url: str, sql: str, *, count: bool = True) -> pa.Table:
    with open_source(url).open(text_query(sql), count=count) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema)


@pytest.mark.parametrize(("sql", "kind", "value"), PLAIN + DECIMALS)
def test_a_type_that_arrow_has_arrives_as_it(url, sql, kind, value):
    column = read(url, f"SELECT {sql} AS x")["x"]

    assert column.type == kind
    assert column[0].as_py() == value


@pytest.mark.parametrize(("sql", "text"), DECIMAL_TEXTS)
def test_a_number_without_a_fixed_scale_is_text_that_says_so(url, sql, text):
    table = read(url, f"SELECT {sql} AS x")

    assert table["x"].to_pylist() == [text]
    assert table.schema.field("x").type == _TEXT
    assert table.schema.field("x").metadata == DECIMAL_TEXT


@pytest.mark.parametrize(("sql", "text"), TEXTS)
def test_everything_else_is_the_text_postgresql_writes(url, sql, text):
    table = read(url, f"SELECT {sql} AS x")

    assert table["x"].to_pylist() == [text]
    assert table.schema.field("x") == pa.field("x", _TEXT)


def test_one_odd_value_makes_its_column_text_and_leaves_the_others(url):
    sql = """
        SELECT d, pg_catalog.date '2024-01-01' AS e
        FROM unnest('{2024-02-29,infinity}'::pg_catalog.date[]) AS d
    """

    table = read(url, sql)

    assert table["d"].to_pylist() == ["2024-02-29", "infinity"]
    assert table["e"].type == pa.date32()


@pytest.mark.parametrize(
    "sql", ["pg_catalog.date 'infinity'", "timestamp 'infinity'", "'NaN'::numeric(9,2)"]
)
def test_without_a_count_an_odd_value_is_an_error_and_never_another_date(url, sql):
    with pytest.raises(SourceRejected, match="'x' holds a value outside the range of its type"):
        read(url, f"SELECT {sql} AS x", count=False)


def test_a_domain_is_read_as_what_it_is_made_of(url):
    assert read(url, "SELECT 5::positive AS x")["x"].type == pa.int32()


def test_columns_may_share_a_name_or_have_a_strange_one(url):
    name = 'we"ird %s :x {0} 客户'

    table = read(url, f'SELECT 1 AS a, 2.5 AS a, 3 AS "{name.replace(chr(34), chr(34) * 2)}"')

    assert table.column_names == ["a", "a", name]
    assert [column.to_pylist() for column in table.columns] == [[1], ["2.5"], [3]]
