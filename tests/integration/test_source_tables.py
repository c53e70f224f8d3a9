"""Whole tables and operators' queries, without a dataset being declared."""

from __future__ import annotations

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.source_databases import duckdb_engine
from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query

KINDS = ("postgres", "sqlite", "mariadb", "duckdb")


@pytest.fixture(params=KINDS)
def url(request, tmp_path) -> str:
    """A database with a table, in no particular order, and a view of it."""
    if request.param in {"postgres", "mariadb"}:
        url = request.getfixturevalue(f"{request.param}_url")
    else:
        url = f"{request.param}:///{tmp_path}/rows.db"
    if request.param == "duckdb":
        engine = duckdb_engine(f"{tmp_path}/rows.db")
    else:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    items = sa.Table(
        "order_items",
        sa.MetaData(),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("order", sa.Integer, primary_key=True),
        sa.Column("we:ird % name", sa.String(20)),
    )
    with engine.begin() as connection:
        items.create(connection)
        rows = [(2, 1, "c"), (1, 2, "b"), (1, 1, "a")]
        connection.execute(
            items.insert(), [dict(zip(items.c.keys(), row, strict=True)) for row in rows]
        )
        connection.exec_driver_sql(
            "CREATE VIEW firsts AS SELECT line FROM order_items WHERE line = 1"
        )
    return url


def read(url: str, query: sa.Select | sa.TextClause) -> pa.Table:
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema)


def test_a_table_is_read_in_the_order_of_its_primary_key(url):
    table = read(url, table_query(url, "order_items"))

    assert table.column_names == ["line", "order", "we:ird % name"]
    assert table["we:ird % name"].to_pylist() == ["a", "b", "c"]


def test_a_view_is_read_like_a_table(url):
    assert read(url, table_query(url, "firsts"))["line"].to_pylist() == [1, 1]


def test_an_unknown_table_is_named_and_nothing_else(url):
    with pytest.raises(SourceRejected) as refused:
        table_query(url, "no_such.table")

    assert str(refused.value) == "There is no table or view 'no_such.table' in the source database."


def test_a_table_of_another_schema_is_found_by_its_qualified_name(postgres_url):
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA sales")
        connection.exec_driver_sql("CREATE TABLE sales.orders (id int, shape point)")
        connection.exec_driver_sql("INSERT INTO sales.orders VALUES (1, '(1,2)')")
        connection.exec_driver_sql('CREATE TABLE "sales.orders" (id int)')
        connection.exec_driver_sql("CREATE MATERIALIZED VIEW sales.frozen AS SELECT 7 AS id")

    assert read(postgres_url, table_query(postgres_url, "sales.frozen"))["id"].to_pylist() == [7]
    assert read(postgres_url, table_query(postgres_url, "sales.orders")).num_rows == 0
    assert read(postgres_url, table_query(postgres_url, "orders", "sales")).to_pylist() == [
        {"id": 1, "shape": "(1,2)"}
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Languages", 1),
        ("PUBLIC.languages", 1),
        ('"languages"', 1),
        ('public."Countries"', 2),
        ("{database}.public.languages", 1),
        ('"s.x"."t.y"', 3),
        ('"we.ird"', 4),
        ("we.ird", 4),
    ],
)
def test_a_name_is_read_as_psql_reads_it(postgres_url, name, value):
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "s.x"')
        for number, table in enumerate(("languages", '"Countries"', '"s.x"."t.y"', '"we.ird"'), 1):
            connection.exec_driver_sql(f"CREATE TABLE {table} AS SELECT {number} AS x")

    query = table_query(postgres_url, name.format(database=engine.url.database))

    assert read(postgres_url, query)["x"].to_pylist() == [value]
    for near, meant in (("languge", "public.languages"), ("countries", 'public."Countries"')):
        with pytest.raises(SourceRejected, match=f"did you mean {meant}\\?"):
            table_query(postgres_url, near)


@pytest.mark.parametrize("name", ["order_items", "`order_items`", "`{database}`.order_items"])
@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_a_url_without_a_driver_and_names_in_backquotes_are_those_of_mysql(
    mariadb_url, name, scheme
):
    url = sa.make_url(mariadb_url)
    plain = url.set(drivername=scheme).render_as_string(hide_password=False)
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE order_items (x int)")
        connection.exec_driver_sql("INSERT INTO order_items VALUES (7)")

    assert read(plain, table_query(plain, name.format(database=url.database)))["x"].to_pylist() == [
        7
    ]


def test_a_database_that_is_away_is_told_apart_from_a_table_that_is(postgres_url):
    away = sa.make_url(postgres_url).set(port=1).render_as_string(hide_password=False)

    with pytest.raises(SourceUnavailable):
        table_query(away, "orders")


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT ':x %s {0}' AS x", ":x %s {0}"),
        ("SELECT '12:30:45' AS x;", "12:30:45"),
        ("  -- a comment: first\n/* and :another */ (SELECT 'a' AS x) -- and a last one", "a"),
        ("WITH a AS (SELECT ';' AS x)\nSELECT x FROM a ; \n", ";"),
    ],
)
def test_what_an_operator_writes_is_taken_literally(tmp_path, postgres_url, sql, value):
    assert read(postgres_url, text_query(sql))["x"].to_pylist() == [value]


def test_a_cast_written_with_colons_is_not_a_parameter(postgres_url):
    sql = r"SELECT '5'::int AS a, E'\\:b' AS b, (ARRAY[1,2,3])[1:2] AS c"

    assert read(postgres_url, text_query(sql)).to_pylist() == [{"a": 5, "b": r"\:b", "c": [1, 2]}]


@pytest.mark.parametrize(
    "sql", ["", ";", "DELETE FROM orders", "selection", "-- SELECT 1", "EXPLAIN SELECT 1"]
)
def test_what_does_not_begin_like_a_query_is_refused(sql):
    with pytest.raises(InvalidRequest, match="Only a query can be exported"):
        text_query(sql)


@pytest.mark.parametrize(
    "url", ["", "orders", "nosuchdb://host/x", "oracle+nosuchdriver://host/x", "sqlite://host/x"]
)
def test_a_url_that_names_no_database_is_refused_without_being_repeated(url):
    with pytest.raises(InvalidRequest) as refused:
        open_source(url)

    assert "host" not in str(refused.value)
