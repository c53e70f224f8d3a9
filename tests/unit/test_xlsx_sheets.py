"""Where rows are placed, and sheets made of the values of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.cells import CELLS, ZONE, CellCase
from tests.support.examples import examples
from tests.support.workbooks import column_values, encode, read_calamine, read_openpyxl
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import InvalidRequest, LimitExceeded
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.designer import DesignedSheet, Designer, Table
from waybill.exporter.formats.xlsx.package import Package
from waybill.exporter.formats.xlsx.placement import SETTLE_LAG, Placement
from waybill.exporter.formats.xlsx.row_renderer import RowRenderer
from waybill.exporter.formats.xlsx.sheet_columns import plan_columns
from waybill.exporter.formats.xlsx.sheet_names import SheetNames
from waybill.exporter.rows.batch_cuts import Cut
from waybill.exporter.rows.seals import sealed

_BY_CITY = Layout(title="Orders", sheet_by="city")


def _table(cities: Sequence[str | None]) -> pa.Table:
    return pa.table(
        {"n": pa.array(range(len(cities)), pa.int64()), "city": pa.array(cities, pa.string())}
    )


def _encode_small(batches: list[pa.RecordBatch], layout: Layout, **limits: int) -> bytes:
    """What `encode_xlsx` does, on one thread and with limits a test can reach."""
    schema, tally = batches[0].schema, Tally()
    max_held = limits.pop("max_held", 1 << 20)
    columns = plan_columns(schema, layout, pa.Table.from_batches(batches[:1]))
    designer = Designer([Table(columns)], layout, tally)
    draft = designer.design([DesignedSheet("Draft", 0)])
    placement = Placement(schema, layout, SheetNames(draft.other_sheets), **limits)
    package = Package(designer, draft, tally, max_held=max_held)
    styles = [draft.frames[0].styles.get(column.letters, 0) for column in columns]
    render = RowRenderer(columns, styles)
    chunks = list(package.begin())
    for placed in placement.place(map(Cut.of, sealed(batches))):
        batch = render(placed)
        placement.record([block.raw.size_bytes for _, block in batch.blocks])
        for piece, block in batch.blocks:
            chunks += package.add(piece, block)
    chunks += package.end_table(placement.sheets)
    chunks += package.finish()
    assert tally.rows == sum(batch.num_rows for batch in batches)
    return b"".join(chunks)


def _numbers(book: dict[str, list[list[Any]]]) -> dict[str, list[int]]:
    return {name: [row[0] for row in rows[1:]] for name, rows in book.items()}


@pytest.mark.slow
@given(st.lists(st.sampled_from(["Berlin", "Paris", "上海", "", None]), min_size=1, max_size=60))
@examples(25)
def test_each_value_has_its_own_sheet_in_the_order_of_the_rows(cities: list[str | None]) -> None:
    data, tally = encode(_table(cities), _BY_CITY, batch_rows=7)
    wanted: dict[str, list[int]] = {}
    for number, city in enumerate(cities):
        name = "(empty)" if city is None else city or "(blank)"
        wanted.setdefault(name, []).append(number)
    assert _numbers(read_openpyxl(data)) == wanted
    assert tally.rows == len(cities)


def test_every_sheet_repeats_the_header() -> None:
    book = read_openpyxl(encode(_table(["a", "b"]), _BY_CITY)[0])
    assert [rows[0] for rows in book.values()] == [["n", "city"], ["n", "city"]]


def test_values_that_make_the_same_name_have_different_sheets() -> None:
    book = read_openpyxl(encode(_table(["a/b", "a:b", "A*B", "History"]), _BY_CITY)[0])
    assert list(book) == ["a_b", "a_b (2)", "A_B (3)", "History_"]


def test_sheets_can_be_made_by_a_column_of_any_type() -> None:
    table = pa.table({"n": [1, 2], "day": pa.array([0, 1], pa.int32()).cast(pa.date32())})
    book = read_openpyxl(encode(table, Layout(sheet_by="day"))[0])
    assert list(book) == ["1970-01-01", "1970-01-02"]


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_rows_of_every_type_can_be_sorted_into_sheets(case: CellCase) -> None:
    keys = pa.array(["ab"[row % 2] for row in range(len(case.array))])
    layout = Layout(timezone=ZONE, sheet_by="key")
    table = case.table.append_column("key", keys)
    book = read_openpyxl(encode(table, layout)[0])
    for key, start in zip(book, (0, 1), strict=False):
        assert column_values(book[key]) == list(case.xlsx[start::2])


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="town"):
        encode(_table(["a"]), Layout(sheet_by="town"))


def test_no_rows_make_one_sheet_with_the_title() -> None:
    assert list(read_openpyxl(encode(_table([]), _BY_CITY)[0])) == ["Orders"]


def test_a_value_with_too_many_rows_goes_on_on_a_second_sheet() -> None:
    batches = _table(["a", "b"] * 10).to_batches(max_chunksize=3)
    book = _numbers(read_calamine(_encode_small(batches, _BY_CITY, max_rows=6)))
    assert book == {
        "a": [0, 2, 4, 6, 8, 10],
        "b": [1, 3, 5, 7, 9, 11],
        "a (2)": [12, 14, 16, 18],
        "b (2)": [13, 15, 17, 19],
    }


@pytest.mark.slow
def test_ordered_rows_need_no_more_room_than_they_are_given() -> None:
    cities = [f"city {number // 50:03}" for number in range(2_000)]
    batches = _table(cities).to_batches(max_chunksize=100)
    book = _numbers(read_calamine(_encode_small(batches, _BY_CITY, max_held=2_000)))
    assert len(book) == 40
    assert [n for numbers in book.values() for n in numbers] == list(range(2_000))


def test_rows_that_come_back_too_late_fail_the_export() -> None:
    cities = ["first", *(f"city {number // 50:03}" for number in range(2_000)), "first"]
    batches = _table(cities).to_batches(max_chunksize=100)
    with pytest.raises(LimitExceeded, match="Order the dataset"):
        _encode_small(batches, _BY_CITY, max_held=2_000)


def test_a_sheet_ends_when_its_xml_is_too_long() -> None:
    """C36. Sizes count `SETTLE_LAG` batches late, whatever the number of threads."""
    batches = _table(["a"] * 60).to_batches(max_chunksize=2)
    book = _numbers(read_calamine(_encode_small(batches, Layout(title="Orders"), max_bytes=1)))
    rows = 2 * (SETTLE_LAG + 1) - 2
    assert list(book) == ["Orders", *(f"Orders ({n})" for n in range(2, len(book) + 1))]
    assert book["Orders"] == list(range(rows))
    assert [n for numbers in book.values() for n in numbers] == list(range(60))


def test_the_end_of_a_long_sheet_does_not_depend_on_the_threads() -> None:
    table = _table(["a"] * 60)
    cuts = list(map(Cut.of, sealed(table.to_batches(max_chunksize=2))))
    placement = Placement(table.schema, Layout(), SheetNames(), max_bytes=100)
    places = []
    for placed in placement.place(cuts):
        # Two results come in at once, as with a pool of two threads.
        if len(places) % 2:
            placement.record([60])
            placement.record([60])
        places.append([(piece.sheet.name, piece.first_row) for piece in placed.pieces])
    again = Placement(table.schema, Layout(), SheetNames(), max_bytes=100)
    expected = []
    for placed in again.place(cuts):
        again.record([60])
        expected.append([(piece.sheet.name, piece.first_row) for piece in placed.pieces])
    assert places == expected
