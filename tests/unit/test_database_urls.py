"""Every spelling of a database URL is read alike, by the task tables and by the sources."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.database_urls import standard_url
from waybill.infra.config.errors import BadSettings
from waybill.infra.db.engine import create_engine
from waybill.infra.sources.databases import parse_database_url

ONE = {"host": "h", "dbname": "db", "user": "ann", "password": "p"}
TWO = {**ONE, "host": "h1,h2", "port": "5432,5433"}

#: A URL, and what libpq is told.
URLS = [
    ("postgres://ann:p@h/db", ONE),
    ("postgresql://ann:p@h/db", ONE),
    ("PostgreSQL://ann:p@h/db", ONE),
    ("POSTGRES://ann:p@h/db", ONE),
    ("postgresql+psycopg://ann:p@h/db", ONE),
    ("postgres+psycopg://ann:p@h/db", ONE),
    ("postgresql+psycopg2://ann:p@h/db", ONE),
    ("postgresql+asyncpg://ann:p@h/db", ONE),
    ("  postgres://ann:p@h/db\n", ONE),
    ("postgres://ann:p@h/db?sslmode=require", {**ONE, "sslmode": "require"}),
    ("postgres://ann:p@h:5432/db", {**ONE, "port": 5432}),
    ("postgres://ann:p@h1:5432,h2:5433/db", TWO),
    (
        "postgresql://ann:p@h1:5432,h2:5433/db?target_session_attrs=read-write",
        {**TWO, "target_session_attrs": "read-write"},
    ),
    ("postgres://ann:p@h1,h2/db", {**ONE, "host": "h1,h2", "port": ","}),
    ("postgres://ann:p@h1:5432,h2/db", {**TWO, "port": "5432,"}),
    ("postgres://ann:p@[::1]:5432,[::2]:5433/db", {**TWO, "host": "::1,::2"}),
    ("postgres://ann:p@[::1]:5432/db", {**ONE, "host": "::1", "port": 5432}),
    ("postgres://ann:p@%2Fvar%2Frun/db", {**ONE, "host": "/var/run"}),
    ("postgresql://ann:p@/db?host=/var/run", {**ONE, "host": "/var/run"}),
    ("postgres://ann:p%40%2F%3A@h/db", {**ONE, "password": "p@/:"}),
    ("postgres://ann:p@ss@h/db", {**ONE, "password": "p@ss"}),
    ("postgres://ann:p/s?s#s@h/db", {**ONE, "password": "p/s?s#s"}),
    ("postgres://ann:a@b/c@h/db", {**ONE, "password": "a@b/c"}),
    ("postgres://ann:p:+%25@h/db", {**ONE, "password": "p:+%"}),
    ("postgres://ann:p@h/db?application_name=a@b", {**ONE, "application_name": "a@b"}),
    ("postgres://h/db", {"host": "h", "dbname": "db"}),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_task_tables_and_sources_are_told_the_same(url, expected):
    source = parse_database_url(url)
    engine = create_engine(url)

    for parsed in (source, engine.url):
        _, told = PGDialect_psycopg().create_connect_args(parsed)
        assert parsed.drivername == "postgresql+psycopg"
        assert told == expected


@pytest.mark.parametrize("url", ["", "orders", "postgres://h:x/db", "postgres://h1:x,h2/db"])
def test_what_is_no_url_is_refused_and_not_repeated(url):
    with pytest.raises(InvalidRequest, match="not a database URL"):
        parse_database_url(url)
    with pytest.raises(BadSettings, match="WAYBILL_DATABASE_URL is not a database URL"):
        create_engine(url)


@pytest.mark.parametrize("backend", ["mysql", "mariadb", "duckdb", "oracle"])
def test_a_database_that_cannot_hold_the_task_tables_is_one_line_with_those_that_can(backend):
    with pytest.raises(BadSettings, match=rf"{backend} cannot .*; PostgreSQL and SQLite can"):
        create_engine(f"{backend}://ann:p@h/db")


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:////tmp/a@b?c.db", "mysql+pymysql://ann:p@h/db?charset=utf8mb4"]
)
def test_other_urls_stay_as_they_are(url):
    assert standard_url(url) == url
    assert sa.make_url(standard_url(url)) == sa.make_url(url)
