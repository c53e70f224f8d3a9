"""DuckDB as a source: exact types, the files that its URL allows and no others, and its lock."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query


def read(url: str, query: str | sa.Select | sa.TextClause, *, count: bool = True) -> pa.Table:
    query = text_query(query, url) if isinstance(query, str) else query
    with open_source(url).open(query, count=count) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
        assert stream.rows_expected == (table.num_rows if count else None)
    return table


def counted(url: str, query: sa.TextClause) -> int | None:
    return open_source(url).count(query, within=dt.timedelta(seconds=30)).counted


def run(path: Path, *statements: str) -> str:
    """Run statements as another program would; the URL of the file."""
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return f"duckdb:///{path}"


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


class Lake:
    """A folder that a URL allows, with a file in it; and files that it does not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "lake"
        (self.folder / "day=1").mkdir(parents=True)
        self.file = self.folder / "day=1" / "rows.parquet"
        self.secret = folder / "secret.parquet"
        self.note = folder / "secret.txt"
        self.note.write_text("canary")
        (self.folder / "link.txt").symlink_to(self.note)
        with duckdb.connect() as connection:
            for place in (self.file, self.secret):
                connection.sql("SELECT range AS n FROM range(5)").write_parquet(str(place))

    @property
    def url(self) -> str:
        return f"duckdb://?files={self.folder}"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path)


def test_a_lake_is_read_by_query_by_table_and_by_dataset(lake):
    by_query = read(lake.url, f"FROM read_parquet('{lake.folder}/**/*.parquet')")
    by_name = read(lake.url, table_query(lake.url, str(lake.file)))
    dataset = sa.select(sa.column("n")).select_from(sa.func.read_parquet(str(lake.file)))

    assert by_query.to_pylist() == [{"n": n, "day": 1} for n in range(5)]
    assert by_name["n"].to_pylist() == [0, 1, 2, 3, 4]
    assert read(lake.url, dataset).to_pylist() == [{"n": n} for n in range(5)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_parquet('{lake.secret}')",
        "SELECT * FROM '{lake.secret}'",
        "SELECT * FROM read_text('{lake.note}')",
        "SELECT * FROM read_text('{lake.folder}/../secret.txt')",
        "SELECT * FROM read_text('{lake.folder}/link.txt')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('{lake.secret}')",
        "SELECT * FROM 'http://127.0.0.1:1/rows.parquet'",
        "SELECT * FROM 's3://bucket/rows.parquet'",
    ],
)
def test_a_file_that_the_url_does_not_allow_is_refused_with_the_remedy(lake, query):
    with pytest.raises(SourceRejected) as refused:
        read(lake.url, query.format(lake=lake))

    assert "Add its folder to the URL" in refused.value.message
    assert str(lake.folder) not in refused.value.message


def test_a_table_that_is_a_file_beyond_the_lake_is_refused_with_the_remedy(lake):
    with pytest.raises(SourceRejected, match="Add its folder to the URL"):
        table_query(lake.url, str(lake.secret))
    with pytest.raises(SourceRejected, match="names a file that does not exist"):
        table_query(lake.url, f"{lake.folder}/none.parquet")


def test_a_database_reads_no_file_beside_it_unless_its_url_says_so(lake, tmp_path):
    url = run(tmp_path / "shop.duckdb", f"CREATE VIEW rows AS FROM '{lake.file}'")

    with pytest.raises(SourceRejected, match="Add its folder to the URL"):
        read(url, "SELECT * FROM rows")
    assert read(f"{url}?files={lake.folder}", "SELECT * FROM rows").num_rows == 5


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO '{lake.folder}/out.csv'",
        "SELECT 1; COPY (SELECT 1) TO '{lake.folder}/out.csv'",
        "SELECT 1) TO '{lake.folder}/out.csv'; --",
        "ATTACH '{lake.folder}/new.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "CREATE TABLE t AS SELECT 1",
        "EXPORT DATABASE '{lake.folder}/out'",
    ],
)
@pytest.mark.parametrize("attempt", [read, counted])
def test_nothing_but_one_query_is_run(lake, statement, attempt):
    before = sorted(lake.folder.rglob("*"))
    query = sa.text(statement.format(lake=lake))

    with pytest.raises(SourceRejected):
        attempt(lake.url, query)

    assert sorted(lake.folder.rglob("*")) == before


def test_no_variable_of_this_program_is_a_table():
    canary = pa.table({"x": [1]})

    with pytest.raises(SourceRejected, match="names a table that does not exist"):
        read("duckdb://", "SELECT * FROM canary")
    assert canary.num_rows == 1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT no_such() AS x", "calls a function that DuckDB does not have"),
        ("SELECT 'canary'::INTEGER AS x", "cannot be converted"),
        ("SELECT 127::TINYINT + range::TINYINT AS x FROM range(9)", "out of the range"),
        ("SELECT 'a' + [1] AS x", "refuses this query"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_without_its_words(query, says):
    with pytest.raises(SourceRejected, match=says) as refused:
        read("duckdb://", query)

    assert "canary" not in refused.value.message
    assert "no_such" not in refused.value.message


def test_a_query_beyond_the_memory_limit_says_which_option_to_raise():
    query = "SELECT string_agg(repeat('x', 1000), '') AS x FROM range(1000000)"

    with pytest.raises(SourceUnavailable, match="memory_limit"):
        read("duckdb://?memory_limit=50MB", query)


def test_a_file_that_is_missing_or_none_of_duckdb_is_named(tmp_path):
    note = tmp_path / "note.duckdb"
    note.write_text("far too short" * 1000)
    for path, says in ((tmp_path / "no.duckdb", "There is no DuckDB file"), (note, "no DuckDB")):
        with pytest.raises(SourceRejected, match=says) as refused:
            read(f"duckdb:///{path}", "SELECT 1")
        assert str(path) in refused.value.message
    assert not (tmp_path / "no.duckdb").exists()


_WRITER = """
import duckdb, sys
try:
    connection = duckdb.connect(sys.argv[1])
except duckdb.Error:
    print("locked", flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


def writer(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_file_that_another_program_writes_is_said_to_be(tmp_path):
    url = run(tmp_path / "shop.duckdb", "CREATE TABLE t (x INT)")
    with writer(tmp_path / "shop.duckdb") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(SourceUnavailable, match="open for writing") as refused:
            read(url, "SELECT * FROM t")
        other.communicate("")

    assert refused.value.code == "source_away"
    assert read(url, "SELECT * FROM t").num_rows == 0


def test_the_lock_holds_until_the_last_of_several_readers_is_done(tmp_path):
    path = tmp_path / "shop.duckdb"
    url = run(path, "CREATE TABLE t AS SELECT * FROM range(5)")
    source = open_source(url)

    with source.open(text_query("SELECT * FROM t")) as first:
        list(first)
        with source.open(text_query("SELECT * FROM t")) as second:
            list(second)
        # POSIX would drop the lock of the process with the first file that it closes.
        with writer(path) as other:
            said, _ = other.communicate("")
    assert said == "locked\n"
    with writer(path) as other:
        said, _ = other.communicate("")
    assert said == "open\n"


def test_several_threads_read_one_file_at_once(tmp_path):
    url = run(tmp_path / "shop.duckdb", "CREATE TABLE t AS SELECT * FROM range(100000) r(n)")
    sums: list[int] = []

    def work() -> None:
        for _ in range(5):
            table = read(url, "SELECT sum(n) AS n FROM t")
            sums.append(int(table["n"][0].as_py()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sums == [4_999_950_000] * 20


def test_reading_leaves_nothing_beside_the_file(tmp_path):
    url = run(tmp_path / "shop.duckdb", "CREATE TABLE t AS SELECT * FROM range(1000000) r(n)")

    # Larger than the limit when it is sorted.
    read(f"{url}?memory_limit=60MB", "SELECT n, repeat('x', 40) AS x FROM t ORDER BY hash(n)")

    assert [path.name for path in tmp_path.iterdir()] == ["shop.duckdb"]
