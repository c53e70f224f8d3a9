"""The same rows by every way, whatever a server, a database, a role or a URL is set up to print."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from psycopg import sql

from tests.support.odd_settings import POSTGRES, odd_settings
from tests.support.servers.postgres import PASSWORD
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.values.declared_kinds import KIND_KEY
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query

SETTINGS = odd_settings(POSTGRES)

TABLE = """
    CREATE TABLE public.everything (
        id int PRIMARY KEY, day pg_catalog.date, at timestamp, instant timestamptz, span interval,
        clock time, raw bytea, ratio float8, small real, price numeric(10, 2), amount numeric,
        cost money, body jsonb, tags text[], spans interval[], name text, class regclass,
        own public.date, kind odd.mood, bounds int4range, doc xml, note varchar(20)
    )
"""
ROWS = """
    INSERT INTO public.everything
    SELECT n, pg_catalog.date '2024-02-03' + n,
        timestamp '2024-02-03 04:05:06.7' + n * interval '1 day',
        timestamptz '2024-10-27 00:30Z' + n * interval '1 hour', n * interval '1 mon -2 days 36:15',
        time '08:00' + n * interval '1 min', decode('00ff5c27', 'hex'), 0.1::float8 * n, 0.1::real,
        n / 4.0, n * 1.25, (n * 1.5)::numeric::money, jsonb_build_object('at', n),
        array['x' || n, null], array[n * interval '90 min'], E'caf\\u00e9 \\\\ ' || n,
        'pg_catalog.pg_class'::regclass, 'stormy', 'calm', int4range(n, n + 2), '<a>1</a>', null
    FROM generate_series(1, 30) AS n
"""
NAMES = (
    "id day at instant span clock raw ratio small price amount cost body tags spans name"
    " class own kind bounds doc note"
)


@pytest.fixture(scope="module")
def url(postgres_server) -> Iterator[str]:
    """A database with types named like those of PostgreSQL, and a role of its own."""
    with postgres_server.database() as url, connect(url) as admin:
        for statement in (
            "CREATE SCHEMA odd",
            "CREATE TYPE public.date AS ENUM ('stormy')",
            "CREATE TYPE odd.mood AS ENUM ('calm')",
            # What a careless search path would find in place of PostgreSQL's own.
            "CREATE DOMAIN odd.text AS varchar(3)",
            "CREATE FUNCTION odd.abs(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 0.0'",
            "CREATE FUNCTION odd.to_json(anyelement) RETURNS json LANGUAGE sql"
            " AS $$SELECT '0'::json$$",
            TABLE,
            ROWS,
            f"CREATE ROLE odd LOGIN PASSWORD '{PASSWORD}'",
            "GRANT SELECT ON public.everything TO odd",
            "GRANT USAGE ON SCHEMA odd TO odd",
        ):
            admin.execute(statement)
        yield url.replace("//waybill:", "//odd:")
        admin.execute("DROP OWNED BY odd")
        admin.execute("DROP ROLE odd")


def connect(url: str) -> psycopg.Connection:
    plain = sa.make_url(url).set(drivername="postgresql", username="waybill")
    return psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True)


def ways(url: str) -> Iterator[Query]:
    """The same rows as a table, as an operator's query, and as a dataset would ask for them."""
    yield table_query(url, "public.everything")
    yield text_query("SELECT * FROM public.everything ORDER BY id;", url)
    table = sa.table("everything", *map(sa.column, NAMES.split()), schema="public")
    yield sa.select(table).order_by(table.c.id)


def digest(url: str, query: Query) -> str:
    """Of names, types, marks and values."""
    with open_source(url).open(query) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
    content = [
        [field.name, str(field.type), (field.metadata or {}).get(KIND_KEY, b"").decode()]
        for field in table.schema
    ]
    text = json.dumps([content, table.to_pylist()], default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def usual(url) -> str:
    """What comes out with nothing set."""
    first, *others = (digest(url, query) for query in ways(url))
    assert others == [first, first]
    return first


@settings(max_examples=12)
@given(for_role=SETTINGS, for_database=SETTINGS, in_url=SETTINGS)
def test_settings_change_no_value(url, usual, for_role, for_database, in_url):
    database = sa.make_url(url).database or ""
    kinds = {"ROLE": ("odd", for_role), "DATABASE": (database, for_database)}
    with connect(url) as admin:
        try:
            for kind, (name, chosen) in kinds.items():
                for setting, value in chosen.items():
                    values = [value] if setting != "search_path" else value.split(", ")
                    admin.execute(
                        sql.SQL("ALTER {} {} SET {} TO {}").format(
                            sql.SQL(kind),
                            sql.Identifier(name),
                            sql.Identifier(setting),
                            sql.SQL(", ").join(sql.Literal(item.strip('"')) for item in values),
                        )
                    )
            options = " ".join(
                f"-c {setting}={value.replace(' ', chr(92) + ' ')}"
                for setting, value in in_url.items()
            )
            odd_url = sa.make_url(url).update_query_dict({"options": options} if options else {})
            for query in ways(odd_url.render_as_string(hide_password=False)):
                assert digest(odd_url.render_as_string(hide_password=False), query) == usual
        finally:
            for kind, (name, _) in kinds.items():
                admin.execute(
                    sql.SQL("ALTER {} {} RESET ALL").format(sql.SQL(kind), sql.Identifier(name))
                )


def with_options(url: str, options: str) -> str:
    changed = sa.make_url(url).update_query_dict({"options": options})
    return changed.render_as_string(hide_password=False)


def test_the_search_path_of_a_url_is_obeyed(url):
    with connect(url) as admin:
        admin.execute("CREATE TABLE odd.here AS SELECT 'odd'::pg_catalog.text AS x")
        admin.execute("CREATE TABLE public.here AS SELECT 'public'::pg_catalog.text AS x")
        admin.execute("GRANT SELECT ON odd.here, public.here TO odd")

    for path in ("odd", "public"):
        chosen = with_options(url, f"-c search_path={path}")
        for query in (table_query(chosen, "here"), text_query("SELECT * FROM here", chosen)):
            with open_source(chosen).open(query) as stream:
                assert [batch.to_pylist() for batch in stream] == [[{"x": path}]]


def test_the_statement_timeout_of_a_url_is_obeyed(url):
    slow = with_options(url, "-c statement_timeout=200")

    with (
        pytest.raises(SourceUnavailable, match="time limit"),
        open_source(slow).open(text_query("SELECT pg_sleep(5)", slow)) as stream,
    ):
        list(stream)


def test_the_role_of_a_url_is_obeyed(url):
    with connect(url) as admin:
        admin.execute("CREATE TABLE public.secret AS SELECT 1 AS x")
    owner = with_options(url.replace("//odd:", "//waybill:"), "-c role=odd")

    with (
        pytest.raises(SourceRejected, match="may not read"),
        open_source(owner).open(text_query("SELECT * FROM public.secret", owner)) as stream,
    ):
        list(stream)
