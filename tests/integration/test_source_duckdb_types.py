"""What each DuckDB type becomes: exact, or text that says what it is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
import sqlalchemy as sa

from tests.support.duckdb_files import read, run
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query, text_query

#: By expression: the Arrow type, the mark, and the value.
_DAY = dt.datetime.fromisoformat("2024-02-29 01:02:03")
VALUES = {
    "true": ("bool", None, True),
    "(-128)::TINYINT": ("int16", None, -128),
    "255::UTINYINT": ("int16", None, 255),
    "65535::USMALLINT": ("int32", None, 65_535),
    "4294967295::UINTEGER": ("int64", None, 2**32 - 1),
    "18446744073709551615::UBIGINT": ("decimal128(20, 0)", None, Decimal(2**64 - 1)),
    f"{10**38 - 1}::HUGEINT": ("decimal128(38, 0)", None, Decimal(10**38 - 1)),
    f"({2**127 - 1})::HUGEINT": ("string", b"integer", str(2**127 - 1)),
    f"({2**127 - 1})::HUGEINT * -1": ("string", b"integer", str(1 - 2**127)),
    "7::UHUGEINT": ("decimal128(38, 0)", None, Decimal(7)),
    f"{2**128 - 1}::UHUGEINT": ("string", b"integer", str(2**128 - 1)),
    f"'{10**50}'::BIGNUM": ("string", b"integer", str(10**50)),
    "0.1::FLOAT": ("float", None, pytest.approx(0.1)),
    "0.1::DOUBLE": ("double", None, 0.1),
    "12.30::DECIMAL(4, 2)": ("decimal128(4, 2)", None, Decimal("12.30")),
    f"{'9' * 28}.{'1' * 10}::DECIMAL(38, 10)": (
        "decimal128(38, 10)",
        None,
        Decimal(f"{'9' * 28}.{'1' * 10}"),
    ),
    "'客户'": ("string", None, "客户"),
    "'\\x00\\xFF'::BLOB": ("binary", None, b"\x00\xff"),
    "'0101'::BIT": ("string", None, "0101"),
    "'calm'::ENUM('calm', 'stormy')": ("string", None, "calm"),
    "'123e4567-e89b-12d3-a456-426614174000'::UUID": (
        "string",
        None,
        "123e4567-e89b-12d3-a456-426614174000",
    ),
    """'{"a":  1.50}'::JSON""": ("string", b"json", '{"a":  1.50}'),
    "DATE '2024-02-29'": ("date32[day]", None, dt.date(2024, 2, 29)),
    "DATE 'infinity'": ("string", b"date", "infinity"),
    "DATE '10000-01-01'": ("string", b"date", "10000-01-01"),
    "DATE '0044-03-15 (BC)'": ("string", b"date", "0044-03-15 (BC)"),
    "TIME '23:59:59.999999'": ("time64[us]", None, dt.time(23, 59, 59, 999_999)),
    "TIME '24:00:00'": ("string", b"time", "24:00:00"),
    "TIME_NS '01:02:03.123456'": ("time64[us]", None, dt.time(1, 2, 3, 123_456)),
    "TIME_NS '01:02:03.123456789'": ("string", b"time", "01:02:03.123456789"),
    "TIMETZ '10:00:00+02'": ("string", None, "10:00:00+02"),
    "TIMESTAMP '2024-02-29 01:02:03'": ("timestamp[us]", None, _DAY),
    "TIMESTAMP_S '2024-02-29 01:02:03'": ("timestamp[us]", None, _DAY),
    "TIMESTAMP_MS '2024-02-29 01:02:03.25'": (
        "timestamp[us]",
        None,
        _DAY.replace(microsecond=250_000),
    ),
    "TIMESTAMP_NS '2024-02-29 01:02:03.000001'": (
        "timestamp[us]",
        None,
        _DAY.replace(microsecond=1),
    ),
    "TIMESTAMP_NS '2024-02-29 01:02:03.000000001'": (
        "string",
        b"timestamp",
        "2024-02-29 01:02:03.000000001",
    ),
    "TIMESTAMP '-infinity'": ("string", b"timestamp", "-infinity"),
    "TIMESTAMPTZ '2024-02-29 01:02:03+02'": (
        "timestamp[us, tz=UTC]",
        None,
        dt.datetime(2024, 2, 28, 23, 2, 3, tzinfo=dt.UTC),
    ),
    "TIMESTAMPTZ 'infinity'": ("string", b"timestamp with time zone", "infinity"),
    "INTERVAL '36 hours 15 minutes'": ("string", b"interval", "36:15:00"),
    "INTERVAL '-1 month 2 days'": ("string", b"interval", "-1 mon 2 days"),
    "INTERVAL '14 months'": ("string", b"interval", "1 year 2 mons"),
    "NULL": ("string", None, None),
    "[1, NULL]": ("list<l: int32>", None, [1, None]),
    "[1, 2]::INTEGER[2]": ("list<l: int32>", None, [1, 2]),
    f"[{2**127 - 1}::HUGEINT]": ("list<l: string>", None, [str(2**127 - 1)]),
    "[DATE 'infinity']": ("list<l: string>", None, ["infinity"]),
    "{'n': 1, 'odd {} \"': DATE 'infinity', 'in': [TIME '24:00:00']}": (
        'struct<n: int32, odd {} ": string, in: list<l: string>>',
        None,
        {"n": 1, 'odd {} "': "infinity", "in": ["24:00:00"]},
    ),
    "MAP {'a': 12.30::DECIMAL(38, 2)}": (
        "map<string, decimal128(38, 2)>",
        None,
        [("a", Decimal("12.30"))],
    ),
    "'{\"a\": 1}'::JSON::VARIANT": ("string", b"json", '{"a":1}'),
}


@pytest.mark.parametrize("expression", VALUES)
@pytest.mark.parametrize("count", [True, False])
def test_each_type_is_exact_or_text_that_says_what_it_is(expression, count):
    arrow_type, mark, value = VALUES[expression]

    table = read("duckdb://", f"SELECT {expression} AS x", count=count)

    field = table.schema.field("x")
    assert (str(field.type), (field.metadata or {}).get(b"waybill.kind")) == (arrow_type, mark)
    assert table["x"].to_pylist() == [value]


def test_one_odd_value_makes_text_of_its_column_and_leaves_the_others(tmp_path):
    url = run(
        tmp_path / "shop.duckdb",
        "CREATE TABLE days AS SELECT (DATE '2024-01-01' + range::INTEGER) AS a,"
        " CASE WHEN range = 49999 THEN DATE 'infinity' ELSE DATE '2024-01-01' END AS b"
        " FROM range(50000)",
    )

    table = read(url, table_query(url, "days"))

    assert (str(table["a"].type), str(table["b"].type)) == ("date32[day]", "string")
    assert table["b"][0].as_py() == "2024-01-01"
    assert table["b"][-1].as_py() == "infinity"


def test_a_table_a_query_and_a_dataset_have_the_same_values(tmp_path):
    columns = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(VALUES))
    url = run(tmp_path / "shop.duckdb", f"CREATE TABLE everything AS SELECT {columns}")
    names = [f"c{number}" for number in range(len(VALUES))]
    dataset = sa.select(sa.table("everything", *map(sa.column, names)))

    by_table = read(url, table_query(url, "Everything"))

    assert by_table.equals(read(url, "SELECT * FROM everything"), check_metadata=True)
    assert by_table.equals(read(url, dataset), check_metadata=True)


def test_two_columns_of_one_name_are_both_there():
    table = read("duckdb://", "SELECT 1 AS a, DATE '2024-01-01' AS a, 300::USMALLINT AS a")

    assert table.column_names == ["a", "a", "a"]
    assert [column[0].as_py() for column in table.columns] == [1, dt.date(2024, 1, 1), 300]


def test_rows_keep_their_order_below_the_casts():
    query = "SELECT range::UBIGINT AS n FROM range(200000) ORDER BY hash(range)"

    numbers = read("duckdb://", query)["n"].to_pylist()

    with duckdb.connect() as connection:
        assert numbers == [n for (n,) in connection.execute(query).fetchall()]


@pytest.mark.parametrize("query", ["SELECT random() AS x", "SELECT 1 AS x, uuid() AS y"])
def test_chance_is_not_counted(query):
    with open_source("duckdb://").open(text_query(query)) as stream:
        assert sum(batch.num_rows for batch in stream) == 1
        assert stream.rows_expected is None


@pytest.mark.parametrize("sample", ["USING SAMPLE 10%", "TABLESAMPLE reservoir(7)"])
def test_a_sample_is_not_counted(sample):
    query = "FROM range(100000) AS t " + sample
    with open_source("duckdb://").open(text_query(query, "duckdb://")) as stream:
        assert sum(batch.num_rows for batch in stream) > 0
        assert stream.rows_expected is None


def test_operators_of_duckdb_are_written_as_they_are():
    query = "SELECT '?' || '%s :x' AS a, [1, 2][1:1] AS b, {'k': 1}.k AS c, $$a;b$$ AS d -- end ;"

    assert read("duckdb://", query).to_pylist() == [{"a": "?%s :x", "b": [1], "c": 1, "d": "a;b"}]
