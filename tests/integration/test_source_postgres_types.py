"""Every PostgreSQL type leaves exact, or as text that says what it is; none ends an export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
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

#: Numbers without a declared scale: the one that all values need.
DECIMALS_BY_VALUE = [
    ("0.1234567890123456789::numeric", pa.decimal128(38, 19), Decimal("0.1234567890123456789")),
    ("1.500::numeric", pa.decimal128(38, 3), Decimal("1.500")),
    ("1e30::numeric", pa.decimal128(38, 0), Decimal("1" + "0" * 30)),
    ("sum(1.25)", pa.decimal128(38, 2), Decimal("1.25")),
    ("-9.5", pa.decimal128(38, 1), Decimal("-9.5")),
    ("'12.3'::money", pa.decimal128(38, 2), Decimal("12.30")),
    ("'-12.3'::money", pa.decimal128(38, 2), Decimal("-12.30")),
    (f"{'9' * 38}", pa.decimal128(38, 0), Decimal("9" * 38)),
    (f"-0.{'9' * 38}", pa.decimal128(38, 38), Decimal("-0." + "9" * 38)),
    (f"{'9' * 30}::numeric(40,2)", pa.decimal128(38, 2), Decimal("9" * 30)),
    ("null::numeric", pa.decimal128(38, 0), None),
]

LISTS = [
    ("array[1,null,3]", pa.int32(), [1, None, 3]),
    ("'[2:3]={1,2}'::int[]", pa.int32(), [1, 2]),
    ("'{}'::text[]", _TEXT, []),
    ("null::bool[]", pa.bool_(), None),
    ("array['a \"quote\"', null, 'é']", _TEXT, ['a "quote"', None, "é"]),
    ("array[9223372036854775807]", pa.int64(), [2**63 - 1]),
    ("array[1.5::float8, 'Infinity']", pa.float64(), [1.5, float("inf")]),
    ("array['ab'::char(3)]", _TEXT, ["ab "]),
]

_DATE = declared_as(DeclaredKind.DATE)
_TIMESTAMP_KIND = declared_as(DeclaredKind.TIMESTAMP)
_INSTANT_KIND = declared_as(DeclaredKind.INSTANT)
_JSON = declared_as(DeclaredKind.JSON)
_INTERVAL = declared_as(DeclaredKind.INTERVAL)

#: Values their type cannot hold, and types that are text: the mark says what was declared.
MARKED_TEXTS = [
    ("'NaN'::numeric", "NaN", DECIMAL_TEXT),
    ("'Infinity'::numeric", "Infinity", DECIMAL_TEXT),
    ("1e-40", "0." + "0" * 39 + "1", DECIMAL_TEXT),
    (
        f"{'9' * 40}::numeric(40,0)",
        "9" * 40,
        declared_as(DeclaredKind.DECIMAL, precision=40, scale=0),
    ),
    (
        "'NaN'::numeric(10,2)",
        "NaN",
        declared_as(DeclaredKind.DECIMAL, precision=10, scale=2),
    ),
    ("pg_catalog.date 'infinity'", "infinity", _DATE),
    ("pg_catalog.date '-infinity'", "-infinity", _DATE),
    ("pg_catalog.date '0044-03-15 BC'", "0044-03-15 BC", _DATE),
    ("pg_catalog.date '10000-01-01'", "10000-01-01", _DATE),
    ("pg_catalog.date '5874897-12-31'", "5874897-12-31", _DATE),
    ("timestamp 'infinity'", "infinity", _TIMESTAMP_KIND),
    ("timestamp '4713-01-01 BC'", "4713-01-01 00:00:00 BC", _TIMESTAMP_KIND),
    ("timestamp '294276-12-31 23:59:59'", "294276-12-31 23:59:59", _TIMESTAMP_KIND),
    ("timestamptz '-infinity'", "-infinity", _INSTANT_KIND),
    ("timestamptz '10000-01-01 00:00Z'", "10000-01-01 00:00:00+00", _INSTANT_KIND),
    ("time '24:00'", "24:00:00", declared_as(DeclaredKind.TIME)),
    ("interval '36:15'", "36:15:00", _INTERVAL),
    ("interval '-1:30:00.5'", "-01:30:00.5", _INTERVAL),
    ("interval '1 mon -2 days 30:00'", "1 mon -2 days +30:00:00", _INTERVAL),
    ("interval '1000 years 300000000 hours'", "1000 years 300000000:00:00", _INTERVAL),
    ("json '{\"a\":  1}'", '{"a":  1}', _JSON),
    ("jsonb '{\"a\":1e2}'", '{"a": 100}', _JSON),
    ("'null'::jsonb", "null", _JSON),
    ("array[[1,2],[3,4]]", "[[1,2],[3,4]]", _JSON),
    ("array[1.50]", "[1.50]", _JSON),
    ("array['1'::money, null]", '["1.00",null]', _JSON),
    ("array['[1,2)'::int4range, null]", '["[1,2)",null]', _JSON),
    ("array['calm'::mood]", '["calm"]', _JSON),
    ("array['MiXed'::citext]", '["MiXed"]', _JSON),
    ("array[3::positive]", "[3]", _JSON),
    ("array[pg_catalog.date 'infinity']", '["infinity"]', _JSON),
    ("array[interval '1:30']", '["01:30:00"]', _JSON),
    ("row(1, 'x')", '{"f1":1,"f2":"x"}', _JSON),
    ("array[row(1, 'x')]", '[{"f1":1,"f2":"x"}]', _JSON),
    ("(select t from (select 1 as a, null as b) t)", '{"a":1,"b":null}', _JSON),
    ("'1 2'::int2vector", "[1,2]", _JSON),
]

TEXTS = [
    ("timetz '10:00+05:30'", "10:00:00+05:30"),
    ("uuid '123e4567-e89b-12d3-a456-426614174000'", "123e4567-e89b-12d3-a456-426614174000"),
    ("xml '<a/>'", "<a/>"),
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


@pytest.mark.parametrize(("sql", "kind", "value"), PLAIN + DECIMALS + DECIMALS_BY_VALUE)
def test_a_type_that_arrow_has_arrives_as_it(url, sql, kind, value):
    column = read(url, f"SELECT {sql} AS x")["x"]

    assert column.type == kind
    assert column[0].as_py() == value


@pytest.mark.parametrize(("sql", "element", "value"), LISTS)
def test_an_array_of_scalars_is_a_list(url, sql, element, value):
    column = read(url, f"SELECT {sql} AS x")["x"]

    assert column.type == pa.list_(element)
    assert column[0].as_py() == value


@pytest.mark.parametrize(("sql", "text", "mark"), MARKED_TEXTS)
def test_text_says_what_it_was_declared_as(url, sql, text, mark):
    table = read(url, f"SELECT {sql} AS x")

    assert table["x"].to_pylist() == [text]
    assert table.schema.field("x").type == _TEXT
    assert table.schema.field("x").metadata == mark


@pytest.mark.parametrize(("sql", "text", "mark"), MARKED_TEXTS)
def test_an_odd_value_changes_no_other_value_of_its_column(url, sql, text, mark):
    usual = f"SELECT {sql} AS x UNION ALL SELECT null"

    assert read(url, usual)["x"].to_pylist() == [text, None]


def test_numbers_without_a_scale_share_the_largest(url):
    table = read(url, "SELECT * FROM (VALUES (1.0), (12.75), (null), (-3)) AS v (x)")

    assert table.schema.field("x").type == pa.decimal128(38, 2)
    assert table["x"].to_pylist() == [Decimal("1"), Decimal("12.75"), None, Decimal("-3")]


def test_nested_arrays_are_never_flattened(url):
    sql = "SELECT x FROM (VALUES (array[1,2]), (array[[3],[4]])) AS v (x)"

    for count in (True, False):
        assert read(url, sql, count=count)["x"].to_pylist() == ["[1,2]", "[[3],[4]]"]


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
    assert [column.to_pylist() for column in table.columns] == [[1], [Decimal("2.5")], [3]]
