"""Chosen columns and chosen order mean the same on every database, and no other column is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.source_databases import KINDS, NUMBERS, SourceDatabase, source_database
from waybill.exporter.datasets.choices import ColumnChoice, SortKey
from waybill.infra.exports.projection import projected

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.pysqlite does .not. support Decimal")

FRUIT = sa.Table(
    "fruit",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(20)),
    sa.Column("weight", sa.Integer),
    sa.Column("odd name; --", sa.String(20)),
)
ROWS = [
    (1, "pear", 3, "a"),
    (2, "apple", None, "b"),
    (3, "fig", 3, "c"),
    (4, None, 1, "d"),
    (5, "kiwi", 7, "e"),
]
NEWEST = sa.select(FRUIT).order_by(FRUIT.c.id.desc())


@pytest.fixture(scope="module", params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, tmp_path_factory.mktemp("source")) as database:
        FRUIT.create(database.engine)
        names = [column.name for column in FRUIT.c]
        for row in ROWS:
            database.execute(FRUIT.insert().values(dict(zip(names, row, strict=True))))
        yield database


def read(database: SourceDatabase, query: Any, *columns: str, sort: Any = ()) -> pa.Table:
    chosen = [ColumnChoice(name=name) for name in columns]
    keys = [SortKey.model_validate(key) for key in sort]
    with database.source.open(projected(query, chosen, keys)) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
        assert stream.rows_expected == database.expected(table.num_rows)
    return table


def ids(database: SourceDatabase, query: Any, *sort: str) -> list[int]:
    return list(read(database, query, "id", sort=sort)["id"].to_pylist())


def test_the_columns_are_those_chosen_in_their_order(database):
    table = read(database, NEWEST, "odd name; --", "id")
    assert table.column_names == ["odd name; --", "id"]
    assert table.to_pylist()[0] == {"odd name; --": "e", "id": 5}


def test_without_a_choice_the_query_is_the_datasets_own():
    assert projected(NEWEST, (), ()) is NEWEST


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ((), [5, 4, 3, 2, 1]),
        (("name",), [2, 3, 5, 1, 4]),
        (("-name",), [1, 5, 3, 2, 4]),
        # Equal weights stay in the dataset's order, and NULL is last in either direction.
        (("weight",), [4, 3, 1, 5, 2]),
        (("-weight",), [5, 3, 1, 4, 2]),
        (("-weight", "id"), [5, 1, 3, 4, 2]),
    ],
)
def test_rows_are_sorted_alike_everywhere(database, sort, expected):
    assert ids(database, NEWEST, *sort) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (sa.select(FRUIT.c.id).order_by(FRUIT.c.weight.is_(None), FRUIT.c.weight, FRUIT.c.id),
         [4, 1, 3, 5, 2]),
        (sa.select(FRUIT.c.id).order_by(sa.func.coalesce(FRUIT.c.weight, 9).desc(), FRUIT.c.id),
         [2, 5, 1, 3, 4]),
        (sa.select(FRUIT).order_by(sa.desc("id")), [5, 4, 3, 2, 1]),
        (sa.select(FRUIT).order_by(sa.text("id DESC")), [5, 4, 3, 2, 1]),
        (sa.select(FRUIT).order_by(FRUIT.c.id.desc()).limit(2), [5, 4]),
        (sa.select(FRUIT.c.id).distinct().order_by(FRUIT.c.id.desc()), [5, 4, 3, 2, 1]),
        (sa.select(FRUIT.c.id, (-FRUIT.c.id).label("back")).order_by("back"), [5, 4, 3, 2, 1]),
        (sa.select(FRUIT.c.id, sa.func.count().label("n")).group_by(FRUIT.c.id)
         .order_by(sa.func.max(FRUIT.c.id).desc()), [5, 4, 3, 2, 1]),
    ],
)  # fmt: skip
def test_the_datasets_own_order_stays_whatever_it_is_made_of(database, query, expected):
    assert ids(database, query) == expected


def test_a_limit_of_the_dataset_decides_before_the_order_of_the_request(database):
    newest_two = sa.select(FRUIT).order_by(FRUIT.c.id.desc()).limit(2)
    assert ids(database, newest_two, "id") == [4, 5]


def test_no_column_is_read_that_nobody_chose(database):
    """A column that cannot be computed harms nobody who leaves it out."""
    wrong = (NUMBERS.c.n / sa.func.nullif(NUMBERS.c.n * 0, 0)).label("unused")
    bad = sa.cast(sa.literal("x") + sa.cast(NUMBERS.c.n, sa.String(9)), sa.Integer).label("bad")
    query = sa.select(NUMBERS.c.n, wrong, bad).where(NUMBERS.c.n < 3).order_by(NUMBERS.c.n)
    assert read(database, query, "n")["n"].to_pylist() == [0, 1, 2]


def test_many_rows_keep_their_order(database):
    query = sa.select(NUMBERS).order_by((NUMBERS.c.n % 10).desc(), NUMBERS.c.n)
    found = read(database, query, "n")["n"].to_pylist()
    assert found == sorted(range(40_000), key=lambda n: (-(n % 10), n))
