"""Several tables in one workbook: sheets in their order, each as it would be alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from tests.support.workbooks import read_calamine, read_openpyxl
from waybill.exporter.blocks.block import Checksum
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.watermark import Watermark
from waybill.exporter.errors import ExportRejected, IncompleteExport, LimitExceeded
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.several_tables import TableRows, encode_tables
from waybill.exporter.rows.seals import sealed

_ORDERS = pa.table({"n": pa.array(range(1, 8)), "at": pa.array([0] * 7, pa.date32())})
_USERS = pa.table({"name": ["Ann", "Bob", None], "balance": [1.5, -2.25, 0.0]})


def _rows(table: pa.Table, layout: Layout, batch_rows: int = 3) -> TableRows:
    return TableRows(table.schema, sealed(table.to_batches(batch_rows)), layout)


def _book(
    *tables: tuple[pa.Table, Layout], layout: Layout | None = None
) -> tuple[bytes, Tally, Sequence[TableRows]]:
    tally, rows = Tally(), [_rows(table, its) for table, its in tables]
    data = b"".join(encode_tables(rows, layout or Layout(title="Both"), tally))
    assert tally.file == Checksum.of(data)
    return data, tally, rows


def test_two_readers_find_every_row_on_its_sheet() -> None:
    data, tally, rows = _book((_ORDERS, Layout(title="Orders")), (_USERS, Layout(title="Users")))
    book = read_openpyxl(data)
    assert list(book) == list(read_calamine(data)) == ["Orders", "Users"]
    assert [row[0] for row in book["Orders"]] == ["n", *range(1, 8)]
    assert book["Users"] == [["name", "balance"], ["Ann", 1.5], ["Bob", -2.25], [None, 0]]
    assert (tally.rows, [one.tally.rows for one in rows]) == (10, [7, 3])


def test_each_sheet_has_its_own_formats_widths_and_filter() -> None:
    layout = Layout(title="Users", columns={"balance": Column(number_format="0.000", width=33)})
    data, _, _ = _book((_ORDERS, Layout(title="Orders")), (_USERS, layout))
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book["Orders"]["B2"].number_format == "yyyy-mm-dd"
    assert book["Users"]["B2"].number_format == "0.000"
    assert book["Users"].column_dimensions["B"].width > 33
    assert [sheet.auto_filter.ref for sheet in book] == ["A1:B8", "A1:B4"]
    assert [sheet.freeze_panes for sheet in book] == ["A2", "A2"]


def test_a_table_without_rows_has_an_empty_sheet_in_its_place() -> None:
    nothing = _USERS.slice(0, 0)
    titles = ("First", "Second", "Third")
    data, _, _ = _book(*[(nothing, Layout(title=title)) for title in titles])
    assert read_openpyxl(data) == {title: [["name", "balance"]] for title in titles}
    data, _, _ = _book(
        (nothing, Layout(title="First")), (_ORDERS, Layout(title="Second")), (nothing, Layout())
    )
    assert {name: len(rows) for name, rows in read_openpyxl(data).items()} == {
        "First": 1,
        "Second": 8,
        "Export": 1,
    }


def test_a_full_sheet_goes_on_before_the_next_table() -> None:
    tables = [_rows(_ORDERS, Layout(title="Orders")), _rows(_USERS, Layout(title="Users"))]
    data = b"".join(encode_tables(tables, Layout(), Tally(), sheet_rows=3))
    book = read_openpyxl(data)
    assert {name: [row[0] for row in rows[1:]] for name, rows in book.items()} == {
        "Orders": [1, 2, 3],
        "Orders (2)": [4, 5, 6],
        "Orders (3)": [7],
        "Users": ["Ann", "Bob", None],
    }


def test_sheets_of_one_name_are_told_apart() -> None:
    data, _, _ = _book((_ORDERS, Layout(title="Report")), (_USERS, Layout(title="report")))
    assert list(read_openpyxl(data)) == ["Report", "report (2)"]


def test_one_table_may_have_a_sheet_for_each_value() -> None:
    cities = pa.table({"city": ["Rome", "Bonn", "Rome"], "n": [1, 2, 3]})
    data, _, _ = _book(
        (cities, Layout(title="Cities", sheet_by="city")), (_USERS, Layout(title="Users"))
    )
    book = read_openpyxl(data)
    assert list(book) == ["Rome", "Bonn", "Users"]
    assert [row[1] for row in book["Rome"][1:]] == [1, 3]


def test_hooks_get_their_own_sheets_and_that_of_the_workbook_gets_all() -> None:
    seen: dict[str, set[tuple[str, ...]]] = {"users": set(), "all": set()}

    def users(_workbook: Any, sheets: Sequence[Any]) -> None:
        seen["users"].add(tuple(sheet.name for sheet in sheets))
        for sheet in sheets:
            sheet.conditional_format(1, 1, max(sheet.data_rows, 1), 1, {"type": "data_bar"})

    def everything(workbook: Any, sheets: Sequence[Any]) -> None:
        seen["all"].add(tuple(sheet.name for sheet in sheets))
        workbook.add_worksheet("Summary").write_string(0, 0, "both")

    data, _, _ = _book(
        (_ORDERS, Layout(title="Orders")),
        (_USERS, Layout(title="Users", decorate=users)),
        layout=Layout(title="Both", decorate=everything),
    )
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["Orders", "Users", "Summary"]
    assert seen == {"users": {("Users",)}, "all": {("Orders", "Users")}}
    assert [str(one.sqref) for one in book["Users"].conditional_formatting] == ["B2:B4"]
    assert not book["Orders"].conditional_formatting


def test_what_was_changed_names_the_sheet_and_the_about_sheet_says_it() -> None:
    long = pa.table({"code": ["x" * 40_000]})
    data, tally, _ = _book(
        (_ORDERS, Layout(title="Orders")),
        (long, Layout(title="Codes")),
        layout=Layout(title="Both", about=(("Export", "Both"),)),
    )
    assert [(column, rule.value) for column, rule in tally.warnings] == [
        ("Codes: code", "truncated_text")
    ]
    about = openpyxl.load_workbook(io.BytesIO(data))["About this export"]
    cells = {row[0].value: row[1].value for row in about.iter_rows()}
    assert cells["Rows in this file"] == 8
    assert "Codes: code" in cells


def test_the_same_rows_give_the_same_bytes() -> None:
    tables = (_ORDERS, Layout(title="Orders")), (_USERS, Layout(title="Users"))
    assert _book(*tables)[0] == _book(*tables)[0]


def test_rows_of_the_second_table_are_asked_for_after_the_last_of_the_first() -> None:
    asked: list[str] = []

    def watched(name: str, table: pa.Table) -> Iterable[pa.RecordBatch]:
        for batch in sealed(table.to_batches(2)):
            asked.append(name)
            yield batch

    tables = [
        TableRows(_ORDERS.schema, watched("orders", _ORDERS), Layout(title="Orders")),
        TableRows(_USERS.schema, watched("users", _USERS), Layout(title="Users")),
    ]
    assert b"".join(encode_tables(tables, Layout(), Tally()))
    assert asked == ["orders"] * 4 + ["users"] * 2


def test_a_table_that_no_sheet_can_hold_fails_before_the_first_byte() -> None:
    wide = pa.table({f"c{number}": [1] for number in range(16_385)})
    chunks = encode_tables([_rows(_ORDERS, Layout()), _rows(wide, Layout())], Layout(), Tally())
    with pytest.raises(LimitExceeded, match="16,385"):
        next(chunks)


def test_a_lost_batch_of_the_second_table_fails_the_file() -> None:
    batches = list(sealed(_USERS.to_batches(1)))
    tables = [
        _rows(_ORDERS, Layout(title="Orders")),
        TableRows(_USERS.schema, [batches[0], batches[2]], Layout(title="Users")),
    ]
    with pytest.raises(IncompleteExport):
        b"".join(encode_tables(tables, Layout(), Tally()))


def test_a_hook_that_gives_sheets_of_one_table_other_formats_is_refused() -> None:
    def restless(workbook: Any, sheets: Sequence[Any]) -> None:
        for sheet in sheets:
            if sheet.data_rows:
                sheet.set_column(0, 0, 20, workbook.add_format({"bold": True}))

    with pytest.raises(ExportRejected):
        _book((_ORDERS, Layout(title="Orders", decorate=restless)), (_USERS, Layout(title="Users")))


def test_each_sheet_is_marked_as_its_own_dataset_says() -> None:
    person = Principal("ana", "acme")

    def marked(title: str, pattern: str) -> Layout:
        return Layout(title=title, watermark=Watermark.of(pattern, person), watermark_row=True)

    data, _, _ = _book(
        (_ORDERS, marked("Orders", "Orders for {user}")),
        (_USERS, marked("Users", "Users for {user}")),
        (_USERS, Layout(title="Open")),
    )
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert [sheet.oddHeader.center.text for sheet in book] == [
        "Orders for ana",
        "Users for ana",
        None,
    ]
    assert [[row[0].value for row in sheet.iter_rows(max_row=2)] for sheet in book] == [
        ["Orders for ana", "n"],
        ["Users for ana", "name"],
        ["name", "Ann"],
    ]
    assert book.properties.description == "Orders for ana; Users for ana"
    assert [sheet.auto_filter.ref for sheet in book] == ["A2:B9", "A2:B5", "A1:B4"]
