"""Sessions of a PostgreSQL source serve one export after another, with nothing left in them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
from psycopg import sql

from tests.support.eventually import eventually
from tests.support.servers.postgres import PASSWORD
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import ReadCancelled, SourceRejected
from waybill.infra.sources.operator_queries import text_query
from waybill.infra.sources.postgres import kept_sessions

PID = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
def admin(postgres_url) -> Iterator[psycopg.Connection]:
    plain = sa.make_url(postgres_url).set(drivername="postgresql")
    with psycopg.connect(
        plain.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        yield connection


@pytest.fixture
def source(postgres_url):
    return open_source(postgres_url)


def read(source, statement: str):
    with source.open(text_query(statement, "postgresql://")) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema).to_pylist()


def value(source, expression: str):
    [row] = read(source, f"SELECT {expression} AS it")
    return row["it"]


def test_the_next_export_uses_the_session_of_the_last_one(source):
    assert read(source, PID) == read(source, PID)


def test_a_kept_session_reads_the_same_bytes_as_a_new_one(source, postgres_url):
    statement = """
        SELECT n, n::numeric / 7 AS ratio, n::numeric(12, 2) AS price, n / 7e0 AS double,
            timestamptz '2026-03-29 00:59:59.5+00' + n * interval '1 s' AS instant,
            CASE n WHEN 2 THEN 'infinity'::date ELSE date '0044-03-15 BC' END AS day,
            make_interval(months => n, secs => 0.5) AS span, ARRAY[n, NULL] AS list,
            jsonb_build_object('n', n) AS json, n::text::bytea AS bytes, n::money AS money,
            NULLIF(n, 3)::text AS text, pg_backend_pid() AS pid
        FROM generate_series(1, 3) AS n
    """

    def batches(database):
        with database.open(text_query(statement, "postgresql://")) as stream:
            return list(stream)

    reads = [batches(source), batches(source), batches(open_source(postgres_url))]
    new, kept, other = ([batch["pid"][0].as_py() for batch in read] for read in reads)
    assert new == kept != other
    fields = [
        [(field.name, field.type, field.metadata) for field in read[0].schema] for read in reads
    ]
    assert fields[0] == fields[1] == fields[2]
    values = [[batch.drop_columns("pid").serialize() for batch in read] for read in reads]
    assert values[0] == values[1] == values[2]


def test_two_exports_at_once_have_two_sessions_and_two_snapshots(source, admin):
    admin.execute("CREATE TABLE n AS SELECT 1 AS n")
    read(source, PID)
    query = text_query("SELECT n, pg_backend_pid() AS pid FROM n", "postgresql://")
    with source.open(query) as first:
        assert first.rows_expected == 1
        admin.execute("INSERT INTO n VALUES (2)")
        with source.open(query) as second:
            assert second.rows_expected == 2
            [later] = [batch.to_pylist() for batch in second]
        [earlier] = [batch.to_pylist() for batch in first]
    assert (len(earlier), len(later)) == (1, 2)
    assert earlier[0]["pid"] != later[0]["pid"]


def test_nothing_of_an_export_is_left_for_the_next_one(source, admin):
    left = "set_config('work_mem', '77MB', false) || pg_advisory_lock(42)::text"
    assert value(source, left) == "77MB"
    with source.open(text_query(PID, "postgresql://")) as stream:
        [[row]] = [batch.to_pylist() for batch in stream]
        pid = row["pid"]

    assert value(source, "current_setting('work_mem')") != "77MB"
    assert value(source, "pg_backend_pid()") == pid
    assert admin.execute("SELECT pg_try_advisory_lock(42)").fetchone() == (True,)
    state = "SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = %s"
    assert admin.execute(state, [pid]).fetchone() == ("idle", None)


def test_a_session_that_the_server_has_ended_is_replaced(source, admin):
    pid = value(source, "pg_backend_pid()")
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert value(source, "pg_backend_pid()") != pid


def test_types_made_after_the_session_are_read_as_by_a_new_one(source, postgres_url, admin):
    value(source, "1")
    admin.execute("CREATE TYPE pair AS (a int, b text)")
    admin.execute("CREATE TYPE mood AS ENUM ('calm')")
    admin.execute("CREATE TABLE late AS SELECT (1, 'x')::pair AS p, array['calm'::mood] AS m")

    kept = read(source, "SELECT * FROM late")

    assert kept == read(open_source(postgres_url), "SELECT * FROM late")
    assert kept == [{"p": '{"a":1,"b":"x"}', "m": '["calm"]'}]


@pytest.mark.parametrize("how", ["left", "failed", "cancelled"])
def test_a_read_that_does_not_come_to_its_end_keeps_no_session(source, admin, how):
    many = text_query(
        "SELECT n, pg_backend_pid() AS pid FROM generate_series(1, 300000) n", "postgresql://"
    )
    pids = []

    def stop_early() -> None:
        with source.open(many) as stream:
            for batch in stream:
                pids.append(batch.to_pylist()[0]["pid"])
                if how == "left":
                    return
                if how == "failed":
                    raise ZeroDivisionError
                stream.cancel()

    if how == "left":
        stop_early()
    else:
        with pytest.raises((ZeroDivisionError, ReadCancelled)):
            stop_early()

    assert value(source, "pg_backend_pid()") not in pids


def test_what_a_kept_session_refuses_is_asked_in_a_new_one(postgres_url, admin):
    """Its search path is that of the time at which it connected."""
    role, name = sql.Identifier("wanders"), sql.Identifier(sa.make_url(postgres_url).database or "")
    admin.execute("CREATE SCHEMA later")
    admin.execute("CREATE TABLE later.only_there AS SELECT 7 AS n")
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, PASSWORD))
    try:
        admin.execute(sql.SQL("GRANT USAGE ON SCHEMA later TO {}").format(role))
        admin.execute(sql.SQL("GRANT SELECT ON later.only_there TO {}").format(role))
        source = open_source(postgres_url.replace("//waybill:", "//wanders:"))
        with pytest.raises(SourceRejected):
            read(source, "SELECT n FROM only_there")
        value(source, "1")
        admin.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path TO later").format(role, name)
        )
        assert read(source, "SELECT n FROM only_there") == [{"n": 7}]
    finally:
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


async def test_idle_sessions_are_closed_after_a_while(postgres_url, admin, monkeypatch):
    monkeypatch.setattr(kept_sessions, "IDLE_SECONDS", 0.2)
    source = open_source(postgres_url)
    value(source, "1")
    others = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    await eventually(lambda: admin.execute(others).fetchone() == (0,))
    assert value(source, "2") == 2


def test_a_session_is_replaced_when_it_is_old(source, monkeypatch):
    pid = value(source, "pg_backend_pid()")
    monkeypatch.setattr(kept_sessions, "LIFE_SECONDS", 0.0)
    assert value(source, "pg_backend_pid()") != pid


def test_a_limit_on_statements_in_the_url_holds_in_every_export(postgres_url):
    source = open_source(f"{postgres_url}?options=-c%20statement_timeout%3D54321")
    limits = [value(source, "current_setting('statement_timeout')") for _ in range(3)]
    assert limits == ["54321ms"] * 3
