"""What every source promises, on every kind of database it reads: rows, types, snapshot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.source_databases import (
    EXCLUSIVE_KINDS,
    HOSTILE,
    INSTEAD,
    KINDS,
    NUMBERS,
    NUMBERS_ROWS,
    NUMBERS_WITHOUT_NOTE,
    ORDERS,
    OTHERWISE,
    SHARED_KINDS,
    Mood,
    SourceDatabase,
    source_database,
)
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import RowTooLarge
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.rows.seals import check_seal, first_row_of, in_order
from waybill.exporter.run import run_export
from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.operator_queries import text_query
from waybill.storage.memory import MemoryStore

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.pysqlite does .not. support Decimal")


@pytest.fixture(scope="module", params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, tmp_path_factory.mktemp("source")) as database:
        yield database


@pytest.fixture
def orders(database: SourceDatabase) -> Iterator[list[dict[str, Any]]]:
    """Two orders, the second with nothing in it; and what a source should make of them."""
    full = {
        "id": 1,
        "big": 2**53 + 1,
        "paid": True,
        "ratio": 0.1,
        "price": Decimal("12.30"),
        "name": "Zoë 客户",
        "note": "",
        "raw": b"\x00\xff",
        "day": dt.date(1899, 12, 31),
        "at": dt.datetime.fromisoformat("2024-02-29 23:59:58"),
        "instant": dt.datetime(2024, 10, 27, 1, 30, tzinfo=dt.UTC),
        "clock": dt.time(23, 59, 58),
        "mood": Mood.STORMY,
    }
    full |= INSTEAD.get(database.kind, {})
    empty = {name: 2 if name == "id" else None for name in full}
    with database.engine.begin() as connection:
        connection.execute(ORDERS.insert(), [full, empty])
    other = {name: value for name, (_, value) in OTHERWISE.get(database.kind, {}).items()}
    yield [full | {"mood": "STORMY"} | other, empty]
    database.execute(ORDERS.delete())


def read(database: SourceDatabase, query: Query) -> pa.Table:
    with database.source.open(query) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
        assert stream.rows_expected == database.expected(table.num_rows)
    return table


def test_values_and_types_arrive_exactly(database, orders):
    table = read(database, sa.select(ORDERS).order_by(ORDERS.c.id))

    assert table.to_pylist() == orders
    types = {field.name: field.type for field in table.schema}
    assert pa.types.is_integer(types.pop("id"))
    others = {name: kind for name, (kind, _) in OTHERWISE.get(database.kind, {}).items()}
    expected = {
        "big": pa.int64(),
        "paid": pa.bool_(),
        "ratio": pa.float64(),
        "price": pa.decimal128(12, 2),
        "name": pa.string(),
        "note": pa.string(),
        "raw": pa.binary(),
        "day": pa.date32(),
        "at": pa.timestamp("us"),
        "instant": pa.timestamp("us", tz="UTC"),
        "clock": pa.time64("us"),
        "mood": pa.string(),
    }
    assert types == expected | others


def test_an_empty_result_keeps_its_schema(database, orders):
    query = sa.select(ORDERS).order_by(ORDERS.c.id)

    nothing = read(database, query.where(ORDERS.c.id == 7))

    assert nothing.num_rows == 0
    assert nothing.schema == read(database, query).schema


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_parameter_is_only_a_value(database, orders, value):
    database.execute(ORDERS.update().values(name=value).where(ORDERS.c.id == 1))

    query = sa.select(ORDERS.c.id, ORDERS.c.name).where(ORDERS.c.name.in_([value, "other"]))

    assert read(database, query).to_pylist() == [{"id": 1, "name": value}]


def test_a_parameter_goes_through_the_type_of_its_column(database, orders):
    query = sa.select(ORDERS.c.id).where(
        ORDERS.c.mood.in_([Mood.STORMY]),
        ORDERS.c.day == orders[0]["day"],
        ORDERS.c.price > Decimal("12.29"),
        ORDERS.c.paid.is_(True),
    )

    assert read(database, query).to_pylist() == [{"id": 1}]


@pytest.mark.slow
def test_rows_come_in_the_order_of_the_query(database):
    query = sa.select(NUMBERS.c.n, NUMBERS.c.amount).order_by(
        # Some databases cut what a float has beyond two digits, and amounts are alike then.
        NUMBERS.c.amount.desc(),
        NUMBERS.c.n.desc(),
    )

    numbers = read(database, query)["n"].to_pylist()

    assert numbers == list(range(NUMBERS_ROWS - 1, -1, -1))


def test_a_column_may_begin_with_thousands_of_nulls(database):
    notes = read(database, sa.select(NUMBERS.c.n, NUMBERS.c.note).order_by(NUMBERS.c.n))["note"]

    assert notes.null_count == NUMBERS_WITHOUT_NOTE
    assert notes[NUMBERS_WITHOUT_NOTE].as_py() == f"note {NUMBERS_WITHOUT_NOTE}"


def test_a_query_written_by_an_operator_is_read_too(database):
    sql = "SELECT n, note FROM numbers WHERE note <> ':n %s' AND n < 5002 ORDER BY n DESC; -- two"

    table = read(database, text_query(sql.replace("; -- two", " -- two")))

    assert table.to_pylist() == [{"n": 5001, "note": "note 5001"}, {"n": 5000, "note": "note 5000"}]


@pytest.mark.slow
def test_every_batch_is_sealed_with_its_place_in_the_result(database):
    with database.source.open(sa.select(NUMBERS).order_by(NUMBERS.c.n)) as stream:
        for batch in in_order(stream):
            check_seal(batch)
            assert first_row_of(batch) == batch["n"][0].as_py()


@pytest.mark.slow
def test_batches_are_bounded_in_rows(database):
    with database.source.open(sa.select(NUMBERS.c.n)) as stream:
        sizes = [batch.num_rows for batch in stream]

    assert max(sizes) <= MAX_ROWS
    assert sum(sizes) == NUMBERS_ROWS


def test_batches_are_bounded_in_bytes(database):
    text_bytes = MAX_BYTES // 10
    text = sa.func.printf("%.*c", text_bytes, "x") if database.kind == "sqlite-rows" else None
    large = sa.func.repeat("x", text_bytes) if text is None else text
    query = sa.select(sa.type_coerce(large, sa.Text).label("large")).select_from(NUMBERS).limit(100)

    with database.source.open(query) as stream:
        sizes = [batch.nbytes for batch in stream]

    assert sum(sizes) >= 100 * text_bytes
    assert max(sizes) <= 2 * MAX_BYTES


@pytest.mark.parametrize("database", SHARED_KINDS, indirect=True, scope="module")
def test_rows_are_those_of_the_moment_the_read_began(database):
    before = dt.datetime.now(dt.UTC)
    query = sa.select(NUMBERS.c.n, NUMBERS.c.note).order_by(NUMBERS.c.n)

    with database.source.open(query) as stream:
        database.execute(
            NUMBERS.update().values(note="changed").where(NUMBERS.c.n == NUMBERS_ROWS - 1)
        )
        counted = stream.rows_expected
        batches = iter(stream)
        rows = [next(batches)]
        database.execute(
            NUMBERS.update().values(note="changed").where(NUMBERS.c.n > 25_000),
            NUMBERS.delete().where(NUMBERS.c.n > 30_000),
        )
        rows.extend(batches)
    table = pa.Table.from_batches(rows)

    assert counted == database.expected(NUMBERS_ROWS)
    assert table.num_rows == NUMBERS_ROWS
    assert "changed" not in set(table["note"].to_pylist())
    skew = dt.timedelta(seconds=1)
    assert before - skew <= stream.snapshot_at <= dt.datetime.now(dt.UTC) + skew


@pytest.mark.parametrize("database", EXCLUSIVE_KINDS, indirect=True, scope="module")
def test_what_cannot_be_written_while_it_is_read_is_a_snapshot(database):
    before = dt.datetime.now(dt.UTC)

    with database.source.open(sa.select(NUMBERS.c.n)) as stream:
        batches = iter(stream)
        rows = next(batches).num_rows
        with pytest.raises(Exception, match=r"different configuration"):
            database.execute(NUMBERS.delete())
        rows += sum(batch.num_rows for batch in batches)

    assert stream.rows_expected == rows == NUMBERS_ROWS
    assert before <= stream.snapshot_at <= dt.datetime.now(dt.UTC)


def test_without_a_count_there_is_no_number_but_all_rows(database, orders):
    with database.source.open(sa.select(ORDERS), count=False) as stream:
        rows = sum(batch.num_rows for batch in stream)
        assert stream.rows_expected is None

    assert rows == len(orders)


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM no_such_table", "SELECT no_such_column FROM orders", "SELECT FROM WHERE"]
)
def test_a_query_that_cannot_work_is_rejected_for_good(database, sql):
    with (
        pytest.raises(SourceRejected) as refused,
        database.source.open(text_query(sql)) as stream,
    ):
        list(stream)

    assert "no_such" not in refused.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (SELECT 1) DELETE FROM orders",
        "SELECT 1; DELETE FROM orders",
        "SELECT 1) AS x; DELETE FROM orders; --",
    ],
)
@pytest.mark.parametrize("count", [True, False])
def test_a_query_cannot_write(database, orders, sql, count):
    with (
        pytest.raises(SourceRejected),
        # Not as `text_query`, which already refuses some of them.
        database.source.open(sa.text(sql), count=count) as stream,
    ):
        list(stream)

    assert read(database, sa.select(ORDERS.c.id)).num_rows == len(orders)


def test_f105_a_row_without_room_is_named_whatever_the_source(database: SourceDatabase) -> None:
    store = MemoryStore()
    with pytest.raises(RowTooLarge, match=r"^Row 1 takes .* in the column '\w+'\.$"):
        run_export(
            database.source,
            sa.select(NUMBERS),
            csv_encoder(),
            Layout(),
            lambda stream: store.open_upload("rows.csv", content_type="text/csv"),
            max_row_bytes=4,
        )
    assert store.stored_keys() == []
