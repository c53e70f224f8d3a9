"""Previews and choices of filters, as every kind of source answers them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from tests.support.source_databases import (
    HOSTILE,
    KINDS,
    NUMBERS,
    NUMBERS_ROWS,
    ORDERS,
    SourceDatabase,
    source_database,
)
from waybill.exporter.datasets.choices import ColumnChoice, SortKey
from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.preview import Preview, read_preview
from waybill.exporter.stop import StopToken
from waybill.infra.exports.data_choices import choices_query
from waybill.infra.exports.projection import first_rows, projected

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.pysqlite does .not. support Decimal")

MOST = 51
NAMES = ["Zoë 客户", "100%", "zoo", "100_", None, "zoo", *HOSTILE]
ANN = Principal("ann", "acme")


class Params(BaseModel):
    name: str | None = None


PEOPLE = Dataset(
    "people",
    lambda _params, _user: sa.select(ORDERS).order_by(ORDERS.c.id),
    Params,
    choices={"name": "name"},
)


@pytest.fixture(scope="module", params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, tmp_path_factory.mktemp("source")) as database:
        rows: list[dict[str, Any]] = [
            {"id": number, "name": name, "price": number} for number, name in enumerate(NAMES, 1)
        ]
        with database.engine.begin() as connection:
            connection.execute(ORDERS.insert(), rows)
        yield database


def _preview(database: SourceDatabase, query: Query, layout: Layout | None = None) -> Preview:
    return read_preview(
        database.source, query, layout or Layout(), most=MOST, count=True, stop=StopToken()
    )


def _choices(database: SourceDatabase, typed: str) -> list[str | None]:
    found = _preview(database, choices_query(PEOPLE, "name", ANN, typed, MOST))
    assert all(value == label for value, label in found.rows)
    return [value for value, _ in found.rows]


def test_choices_are_the_values_there_are_each_once_and_no_null(database: SourceDatabase) -> None:
    assert sorted(map(str, _choices(database, ""))) == sorted({name for name in NAMES if name})


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ZO", {"Zoë 客户", "zoo"}),
        ("100%", {"100%"}),
        ("0_", {"100_"}),
        ("客", {"Zoë 客户", "客户 🙂 é"}),
    ],
)
def test_choices_contain_what_was_typed_in_any_case_and_no_pattern(
    database: SourceDatabase, typed: str, found: set[str]
) -> None:
    assert set(_choices(database, typed)) == found


@pytest.mark.parametrize("typed", HOSTILE)
def test_what_is_typed_is_only_a_value(database: SourceDatabase, typed: str) -> None:
    assert typed in _choices(database, typed)


def test_a_preview_has_the_first_rows_in_order_with_masks(database: SourceDatabase) -> None:
    chosen = [ColumnChoice(name="price"), ColumnChoice(name="name")]
    query = projected(
        PEOPLE.query(Params(), ANN), chosen, [SortKey(column="price", descending=True)]
    )
    shown = _preview(database, first_rows(query, 3), Layout(columns={"name": Column(mask="hide")}))
    assert shown.names == ["price", "name"]
    last = len(NAMES)
    assert shown.rows == [[f"{price}.00", "***"] for price in (last, last - 1, last - 2)]


def test_a_preview_of_a_long_table_reads_its_first_rows(database: SourceDatabase) -> None:
    shown = _preview(database, first_rows(sa.select(NUMBERS.c.n).order_by(NUMBERS.c.n), MOST))
    assert [row[0] for row in shown.rows] == [str(number) for number in range(MOST)]
    assert NUMBERS_ROWS > MOST
