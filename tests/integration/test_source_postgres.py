"""PostgreSQL as a source among locks, limits, restarts, migrations and missing rights."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.servers.postgres import PASSWORD, PostgresServer
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceError, SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query
from waybill.infra.sources.postgres import stream as postgres_stream

#: Enough rows that the server is still sending when the first batch has arrived.
_MANY = "SELECT n, repeat('x', 100) AS x FROM generate_series(1, {0}) AS n"
ROWS = 400_000
MANY = text_query(_MANY.format(ROWS))


@pytest.fixture
def admin(postgres_url) -> Iterator[psycopg.Connection]:
    """A connection for the other side of each story; it never waits long for a lock."""
    with connect(postgres_url) as connection:
        fill(connection)
        yield connection


@pytest.fixture(scope="module")
def shared_url(postgres_server) -> Iterator[str]:
    """A database for tests that leave it as it is."""
    with postgres_server.database() as url:
        with connect(url) as connection:
            fill(connection)
            connection.execute("CREATE SEQUENCE counter")
        yield url


def connect(url: str) -> psycopg.Connection:
    conninfo = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(conninfo, autocommit=True, options="-c lock_timeout=200ms")


def fill(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE orders (id int PRIMARY KEY, city text, total money)")
    connection.execute("INSERT INTO orders VALUES (1, 'Paris', '2'), (2, 'Lyon', '3')")


def read(url: str, query: Query) -> list[dict[str, object]]:
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema).to_pylist()


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgres"]
)
def test_every_spelling_of_the_url_is_understood(shared_url, scheme):
    url = shared_url.replace("postgresql+psycopg", scheme)

    assert read(url, text_query("SELECT count(*) AS n FROM orders")) == [{"n": 2}]


def test_an_option_nobody_knows_is_refused_before_connecting(shared_url):
    with pytest.raises(InvalidRequest, match="option"):
        open_source(f"{shared_url}?colour=blue")
    with pytest.raises(InvalidRequest, match="option"):
        table_query(f"{shared_url}?colour=blue", "orders")


def test_options_of_the_url_reach_the_server(shared_url):
    url = f"{shared_url}?application_name=nightly"

    rows = read(url, text_query("SELECT current_setting('application_name') AS name"))

    assert rows == [{"name": "nightly"}]


def test_a_slow_reader_outlives_the_limits_of_the_server(admin, postgres_url):
    name = sa.make_url(postgres_url).database
    for limit in ("idle_in_transaction_session_timeout", "statement_timeout"):
        admin.execute(f"ALTER DATABASE {name} SET {limit} TO '300ms'")

    with open_source(postgres_url).open(MANY) as stream:
        batches = iter(stream)
        rows = next(batches).num_rows
        time.sleep(0.8)  # The upload stalls for longer than both limits.
        rows += sum(batch.num_rows for batch in batches)
        time.sleep(0.8)  # And again while it is completed.

    assert rows == ROWS


def test_columns_cannot_change_while_they_are_read(admin, postgres_url):
    with open_source(postgres_url).open(text_query("SELECT * FROM orders")) as stream:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            admin.execute("ALTER TABLE orders DROP COLUMN city")
        assert stream.schema.names == ["id", "city", "total"]

    admin.execute("ALTER TABLE orders DROP COLUMN city")
    query = sa.select(sa.column("city")).select_from(sa.table("orders"))
    with pytest.raises(SourceRejected, match="column that does not exist"):
        read(postgres_url, query)


def test_a_locked_table_is_waited_for_and_then_worth_another_try(admin, postgres_url, monkeypatch):
    monkeypatch.setitem(postgres_stream._SETTINGS, "lock_timeout", "200ms")
    with admin.transaction():
        admin.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceUnavailable, match="locked by another session"):
            read(postgres_url, text_query("SELECT * FROM orders"))


def test_a_table_one_may_not_read_is_rejected(admin, postgres_url):
    admin.execute(f"CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}'")
    try:
        url = postgres_url.replace("//waybill:", "//poor:")
        with pytest.raises(SourceRejected, match="may not read"):
            read(url, text_query("SELECT * FROM orders"))
    finally:
        admin.execute("DROP ROLE poor")


@pytest.mark.parametrize("value", ["a\0b", ["a\0b"]])
def test_a_nul_character_is_refused_in_words(shared_url, value):
    city = sa.column("city", sa.String)
    match = city.in_(value) if isinstance(value, list) else city == value

    with pytest.raises(SourceRejected, match="NUL character"):
        read(shared_url, sa.select(city).select_from(sa.table("orders")).where(match))


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT setval('counter', 7)",
        "SELECT 1) TO PROGRAM 'false' --",
        "SELECT * FROM orders FOR UPDATE",
    ],
)
@pytest.mark.parametrize("count", [True, False])
def test_nothing_an_operator_writes_can_write(shared_url, sql, count):
    source = open_source(shared_url)

    with pytest.raises(SourceRejected), source.open(text_query(sql), count=count) as stream:
        list(stream)

    with connect(shared_url) as connection:
        state = "SELECT (SELECT count(*) FROM orders), last_value, is_called FROM counter"
        assert connection.execute(state).fetchone() == (2, 1, False)


def test_a_row_that_cannot_be_computed_rejects_the_export(shared_url):
    late = text_query("SELECT 1 / (100000 - n) AS x FROM generate_series(1, 200000) AS n")

    with (
        pytest.raises(SourceRejected, match="22012"),
        open_source(shared_url).open(late, count=False) as stream,
    ):
        list(stream)


def test_a_connection_ended_by_the_server_is_worth_another_try(admin, postgres_url):
    with open_source(postgres_url).open(MANY) as stream:
        batches = iter(stream)
        next(batches)
        ended = admin.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
        with pytest.raises(SourceUnavailable):
            list(batches)

    assert ended == (1,)


def test_leaving_ends_a_statement_that_would_be_silent_for_a_minute(admin, postgres_url):
    silent = text_query(
        "SELECT n, CASE WHEN n > 30000 THEN pg_sleep(60)::text END AS x, repeat('x', 50)"
        " FROM generate_series(1, 40000) AS n"
    )
    others = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    with open_source(postgres_url).open(silent, count=False) as stream:
        next(iter(stream))
        assert admin.execute(others).fetchone() == (1,)

    wait_for(lambda: admin.execute(others).fetchone() == (0,))


@pytest.mark.parametrize("crash", ["stop", "kill"])
def test_a_server_that_crashes_in_mid_read_is_worth_another_try(crash):
    with tempfile.TemporaryDirectory(prefix="waybill-postgres-") as folder:
        server = PostgresServer(Path(folder))
        server.start()
        source = open_source(server.url())
        try:
            with source.open(MANY) as stream:
                batches = iter(stream)
                next(batches)
                server.stop(immediate=True) if crash == "stop" else server.kill()
                with pytest.raises(SourceUnavailable):
                    list(batches)
            with pytest.raises(SourceUnavailable), source.open(MANY):
                pass
            server.start()
            with source.open(MANY) as stream:
                assert stream.rows_expected == ROWS
        finally:
            server.stop()


@pytest.mark.parametrize(
    "breakage",
    [
        {"password": "s3cret-guess"},
        {"port": 1},
        {"database": "s3cret_name"},
        {"username": "s3cret_user"},
    ],
)
def test_no_error_tells_who_connects_where_with_what(shared_url, breakage):
    url = sa.make_url(shared_url).set(**breakage)

    with pytest.raises(SourceUnavailable) as failed:
        read(url.render_as_string(hide_password=False), text_query("SELECT 1"))

    assert_discreet(failed.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s3cret FROM orders",
        "SELECT * FROM s3cret",
        "SELECT 's3cret'::int",
        "SELECT 's3cret' || 1 / 0",
        "SELECT 's3cret",
        "SELECT pg_read_file('/s3cret')",
    ],
)
def test_no_error_repeats_the_query_or_its_values(shared_url, sql):
    with pytest.raises(SourceError) as failed:
        read(shared_url, text_query(sql))

    assert_discreet(failed.value)


def assert_discreet(error: SourceError) -> None:
    """Neither the error nor what a logged traceback shows of it has anything to hide."""
    assert error.__cause__ is None
    assert error.__suppress_context__
    for secret in ("s3cret", PASSWORD, "127.0.0.1", "waybill", "SELECT"):
        assert secret not in str(error)
