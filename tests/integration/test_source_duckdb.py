"""DuckDB as a source: the files that its URL allows and no others, its lock, and its errors."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.duckdb_files import counted, read, run
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query


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
