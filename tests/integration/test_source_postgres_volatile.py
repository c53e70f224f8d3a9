"""Queries with chance in them: exported uncounted, or refused in words, and never "incomplete"."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.operator_queries import text_query

ROWS = 2_000


@pytest.fixture(scope="module")
def url(postgres_server) -> Iterator[str]:
    with postgres_server.database() as url:
        plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 2000) AS n")
            connection.execute("CREATE VIEW sampled AS SELECT * FROM t TABLESAMPLE BERNOULLI (20)")
            connection.execute(
                "CREATE FUNCTION chancy(n int) RETURNS bool LANGUAGE plpgsql"
                " AS 'BEGIN RETURN random() < 0.5; END'"
            )
            connection.execute(
                "CREATE FUNCTION small(n int) RETURNS bool LANGUAGE plpgsql"
                " AS 'BEGIN RETURN n <= 10; END'"
            )
        yield url


def counts(url: str, sql: str) -> tuple[int | None, int]:
    with open_source(url).open(text_query(sql, url)) as stream:
        read = sum(batch.num_rows for batch in stream)
        return stream.rows_expected, read


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t TABLESAMPLE BERNOULLI (20)",
        "SELECT * FROM t TABLESAMPLE SYSTEM (50)",
        "SELECT * FROM sampled",
        "SELECT * FROM t WHERE random() < 0.3",
        "SELECT * FROM (SELECT n, random() AS r FROM t) AS s WHERE r < 0.3",
        "SELECT DISTINCT (random() * 100)::int AS r FROM t",
        "SELECT generate_series(1, (random() * 1000)::int) AS n",
        "SELECT * FROM t JOIN (SELECT (random() * 9)::int AS n FROM t) AS o USING (n)",
        "WITH r AS MATERIALIZED (SELECT n, random() AS r FROM t) SELECT n FROM r WHERE r < 0.3",
    ],
)
def test_a_query_that_is_left_to_chance_is_exported_uncounted(url, sql):
    expected, read = counts(url, sql)

    assert expected is None
    assert read > 0


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT * FROM t", ROWS),
        ("SELECT * FROM t ORDER BY random() LIMIT 5", 5),
        ("SELECT gen_random_uuid() AS id, n, random() AS r FROM t WHERE n <= 10", 10),
        ("SELECT n, now() AS at FROM t WHERE now() > '2020-01-01' AND n <= 10", 10),
        ("SELECT n, 'random()' AS text FROM t WHERE 'random()' <> '' AND small(n)", 10),
    ],
)
def test_chance_that_changes_no_number_of_rows_is_counted(url, sql, rows):
    assert counts(url, sql) == (rows, rows)


def test_a_repeatable_sample_is_counted(url):
    expected, read = counts(url, "SELECT * FROM t TABLESAMPLE BERNOULLI (20) REPEATABLE (3)")

    assert expected == read > 0


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM t WHERE chancy(n)", "SELECT * FROM t LIMIT (random() * 1900)::int"]
)
def test_chance_that_no_plan_shows_is_refused_in_those_words(url, sql):
    with pytest.raises(SourceRejected, match="gives other rows each time"):
        counts(url, sql)


@pytest.fixture
def file_url(tmp_path) -> str:
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(ROWS)])
        connection.execute("CREATE VIEW v AS SELECT * FROM t WHERE random() % 2 = 0")
    return f"sqlite:///{tmp_path}/t.db"


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM t WHERE Random () % 2 = 0 -- half", "SELECT * FROM v"]
)
def test_a_sqlite_query_with_chance_is_run_once_and_its_rows_are_counted(file_url, sql):
    expected, read = counts(file_url, sql)

    assert expected == read
    assert 0 < read < ROWS


def test_a_sqlite_query_that_only_speaks_of_it_is_counted(file_url):
    sql = "SELECT n, 'random()' AS x, 1 AS random FROM t -- random()"

    assert counts(file_url, sql) == (ROWS, ROWS)
