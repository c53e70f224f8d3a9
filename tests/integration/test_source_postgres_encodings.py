"""Databases whose texts are in another encoding than UTF-8, or in none that the server knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.operator_queries import table_query, text_query


@contextmanager
def database(server_url: str, encoding: str) -> Iterator[str]:
    """The URL of a database of its own with that encoding."""
    url = sa.make_url(server_url).set(drivername="postgresql")
    name = f"in_{encoding.lower()}"
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(url: str) -> None:
    with psycopg.connect(url, autocommit=True, client_encoding="UTF8") as connection:
        connection.execute("CREATE TABLE plain AS SELECT 1 AS id, 'café'::text AS name")


def read(url: str, query: Query) -> list[dict[str, object]]:
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema).to_pylist()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "UTF8"])
@pytest.mark.parametrize("environment", [None, "SQL_ASCII", "LATIN1", "WIN1252"])
def test_texts_are_the_same_in_every_encoding(postgres_url, monkeypatch, encoding, environment):
    with database(postgres_url, encoding) as url:
        fill(url)
        if environment:
            monkeypatch.setenv("PGCLIENTENCODING", environment)

        for query in (table_query(url, "plain"), text_query("SELECT * FROM plain", url)):
            assert read(url, query) == [{"id": 1, "name": "café"}]


def test_bytes_that_are_no_text_are_refused_with_column_and_remedy(postgres_url):
    with database(postgres_url, "SQL_ASCII") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE old AS SELECT 1 AS id, 'ok'::text AS good, E'caf\\xe9'::text AS name"
            )

        for query in (table_query(url, "old"), text_query("SELECT * FROM old", url)):
            with pytest.raises(SourceRejected, match="'name' holds bytes that are not UTF-8") as no:
                read(url, query)
            assert "SQL_ASCII" in str(no.value)
        assert read(url, text_query("SELECT id, good FROM old", url)) == [{"id": 1, "good": "ok"}]
        remedy = (
            "SELECT convert_from(convert(convert_to(name, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'UTF8')"
            " AS name FROM old"
        )
        assert read(url, text_query(remedy, url)) == [{"name": "café"}]
