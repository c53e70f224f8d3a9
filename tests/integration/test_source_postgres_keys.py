"""The key that PostgreSQL finds for a query: that of its only table, or none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from waybill.exporter.shards.plan import ShareableSource
from waybill.infra.exports.projection import projected
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query, text_query


def keyed_source(url: str) -> ShareableSource:
    source = open_source(url)
    assert isinstance(source, ShareableSource)
    return source


def table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


NUMBERED = table("numbered", "id", "city")
OTHER = table("codes", "code", "city")


TABLES = """
    CREATE TABLE numbered (id int PRIMARY KEY, city text);
    INSERT INTO numbered SELECT n, 'x' FROM generate_series(1, 10000) AS n;
    CREATE TABLE codes (code uuid PRIMARY KEY, city text);
    CREATE TABLE "Mixed Case" ("Id" bigint PRIMARY KEY, city text);
    CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b));
    CREATE TABLE texts (id text PRIMARY KEY);
    CREATE TABLE unkeyed (id int UNIQUE NOT NULL);
    CREATE VIEW seen AS SELECT * FROM numbered;
    CREATE MATERIALIZED VIEW kept AS SELECT * FROM numbered;
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child () INHERITS (parent);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (100000);
    INSERT INTO parted SELECT n FROM generate_series(1, 10000) AS n;
    CREATE SCHEMA apart;
    CREATE TABLE apart.numbered (n smallint PRIMARY KEY);
"""


@pytest.fixture(scope="module")
def source(postgres_server) -> Iterator[ShareableSource]:
    with postgres_server.database_of(TABLES) as url:
        yield keyed_source(url)


@pytest.mark.parametrize(
    ("query", "column"),
    [
        (sa.select(NUMBERED), "id"),
        (sa.select(NUMBERED).where(NUMBERED.c.city == "x").order_by(NUMBERED.c.id), "id"),
        (sa.select(NUMBERED.c.city, NUMBERED.c.id.label("Nr")), "Nr"),
        (sa.select(NUMBERED.alias("n")), "id"),
        (sa.select(sa.select(NUMBERED.c.id.label("n")).subquery()), "n"),
        (sa.select(NUMBERED, sa.select(OTHER.c.city).limit(1).scalar_subquery()), "id"),
        (sa.select(OTHER), "code"),
        (sa.select(table("Mixed Case", "Id")), "Id"),
        (sa.select(table("parted", "id")), "id"),
        (sa.select(sa.table("numbered", sa.column("n"), schema="apart")), "n"),
        # What a request chooses is a query around that of the dataset.
        (projected(sa.select(NUMBERED), [], [], hidden={"city"}), "id"),
    ],
    ids=str,
)
def test_the_primary_key_of_the_only_table_is_found(source, query, column):
    found = source.find_key(query)
    assert found is not None
    assert found.column == column


@pytest.mark.parametrize(
    "query",
    [
        sa.select(table("pairs", "a", "b")),
        sa.select(table("texts", "id")),
        sa.select(table("unkeyed", "id")),
        sa.select(table("seen", "id")),
        sa.select(table("kept", "id")),
        sa.select(table("parent", "id")),
        sa.select(table("nowhere", "id")),
        # The key is not selected, is not it any more, or could be one of two.
        sa.select(NUMBERED.c.city),
        sa.select((NUMBERED.c.id + 1).label("id")),
        sa.select(sa.cast(NUMBERED.c.id, sa.Text).label("id")),
        sa.select(NUMBERED.c.city.label("id"), NUMBERED.c.id),
        projected(sa.select(NUMBERED), [], [], hidden={"id"}),
        # Other rows than those of the table.
        sa.select(NUMBERED, OTHER.c.code),
        sa.select(NUMBERED).join(OTHER, OTHER.c.city == NUMBERED.c.city),
        sa.select(NUMBERED).distinct(),
        sa.select(NUMBERED.c.id).group_by(NUMBERED.c.id),
        sa.select(NUMBERED).limit(5),
        sa.select(sa.select(NUMBERED).limit(5).subquery()),
        sa.select(NUMBERED).prefix_with("ALL"),
        sa.select(NUMBERED).with_for_update(),
        sa.select(sa.tablesample(NUMBERED, 5)),
        sa.select(sa.select(NUMBERED).cte()),
        sa.select(NUMBERED).execution_options(schema_translate_map={None: "apart"}),
        sa.select(sa.text("id")).select_from(sa.text("numbered")),
        text_query("SELECT * FROM numbered"),
    ],
    ids=str,
)
def test_of_anything_else_no_key_is_found(source, query):
    assert source.find_key(query) is None


def test_a_table_as_it_is_in_the_database_has_its_key_and_its_size(source, postgres_server):
    script = "CREATE TABLE reflected (id uuid PRIMARY KEY, city text)"
    with postgres_server.database_of(script) as url:
        found = keyed_source(url).find_key(table_query(url, "reflected"))
    assert found is not None
    assert (found.column, found.table_bytes < 100_000) == ("id", True)
    for name in ("numbered", "parted"):
        assert source.find_key(sa.select(table(name, "id"))).table_bytes > 10_000 * 28


def test_a_query_that_cannot_be_compiled_has_none(source):
    one, other = (sa.Table(name, sa.MetaData(), sa.Column("id", sa.Integer)) for name in "ab")
    assert source.find_key(sa.select(one).join(other)) is None


def test_a_database_that_is_away_says_nothing(postgres_url):
    url = sa.make_url(postgres_url).set(port=1)
    away = keyed_source(url.render_as_string(hide_password=False))
    assert away.find_key(sa.select(NUMBERED)) is None
