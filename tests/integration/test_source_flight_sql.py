"""Arrow Flight SQL as a source: login, errors without secrets, named tables, a file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.exported_lines import exported_lines
from tests.support.servers.flight_sql import FlightSqlServer, flight_sql_server
from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query

pytestmark = pytest.mark.server


@pytest.fixture
def server() -> Iterator[FlightSqlServer]:
    with duckdb.connect() as database:
        database.execute(
            'CREATE TABLE orders AS SELECT range AS id, 12.30::DECIMAL(10, 2) AS "Total",'
            " 18446744073709551615::UBIGINT AS big, 255::UTINYINT AS small,"
            " TIMESTAMP_NS '2024-01-01 00:00:00.000000001' AS at FROM range(3)"
        )
        with flight_sql_server(database, token="canary-token") as running:
            yield running


def url(server: FlightSqlServer, options: str = "tls=off&token=canary-token") -> str:
    return f"flightsql://127.0.0.1:{server.port}?{options}"


def read(address: str, query: sa.Select | sa.TextClause) -> pa.Table:
    with open_source(address).open(query) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
        assert stream.rows_expected is None
    return table


def test_a_table_a_query_and_a_dataset_have_the_same_values(server):
    address = url(server)
    dataset = sa.select(sa.table("orders", *map(sa.column, ("id", "Total", "big", "small", "at"))))

    by_table = read(address, table_query(address, "orders"))

    assert by_table.equals(read(address, text_query("SELECT * FROM orders")))
    assert by_table.equals(read(address, dataset))
    assert by_table["Total"].to_pylist() == [Decimal("12.30")] * 3
    assert by_table["big"].to_pylist() == [Decimal(2**64 - 1)] * 3
    assert by_table.schema.field("small").type == pa.int16()
    # The formats have them, or count what they drop.
    assert by_table.schema.field("at").type == pa.timestamp("ns")


@pytest.mark.parametrize("options", ["tls=off", "tls=off&token=canary-wrong"])
def test_a_refused_login_says_so_and_not_with_what(server, options):
    with pytest.raises(SourceUnavailable, match="refuses the account") as refused:
        read(url(server, options), text_query("SELECT 1 AS x"))

    assert "canary" not in str(refused.value)


def test_a_query_that_fails_for_one_of_its_rows_is_rejected(server):
    query = text_query("SELECT CAST('canary' || range AS INTEGER) AS x FROM range(9)")

    with pytest.raises(SourceRejected) as refused:
        read(url(server), query)

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("name", ['orders" o; --', "orders; DROP TABLE x", "a b", "f('x')", ""])
def test_what_is_no_name_is_not_sent(server, name):
    with pytest.raises(InvalidRequest, match="is named as in its own SQL"):
        table_query(url(server), name)


def test_a_server_that_goes_down_breaks_the_export_off(server):
    with open_source(url(server)).open(text_query("SELECT * FROM range(3000000)")) as stream:
        batches = iter(stream)
        next(batches)
        server.cut.set()
        with pytest.raises(SourceUnavailable):
            list(batches)


def test_a_server_that_is_away_says_so():
    with pytest.raises(SourceUnavailable, match="Nothing listens"):
        read("flightsql://ann:canary@127.0.0.1:1?tls=off", text_query("SELECT 1 AS x"))


def test_the_command_exports_a_table(server, tmp_path: Path, monkeypatch):
    lines = exported_lines(tmp_path, monkeypatch, url(server))

    assert lines[0] == '"id","Total","big","small","at"'
    assert lines[1] == "0,12.30,18446744073709551615,255,2024-01-01T00:00:00.000000001"
