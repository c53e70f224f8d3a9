"""Headings, widths and number formats of columns, and the sheet about the export."""

from __future__ import annotations

import io
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pytest

from tests.support.workbooks import encode, naive, parts, read_calamine, read_openpyxl
from waybill.exporter.datasets.layout import Column, Layout


def _sheet(table: pa.Table, layout: Layout | None = None) -> Any:
    return openpyxl.load_workbook(io.BytesIO(encode(table, layout)[0])).worksheets[0]


def _table_named(names: list[str]) -> pa.Table:
    return pa.Table.from_arrays([pa.array([n]) for n in range(len(names))], names=names)


def test_headings_are_there_distinct_and_printable() -> None:
    """C33"""
    long = "x" * 300
    names = ["", "a", "a", "A", "=x", "two\nlines", "bell\x07", "_x0041_", long]
    data, tally = encode(_table_named(names))
    assert read_calamine(data)["Export"][0] == [
        "column 1", "a", "a (2)", "A (3)", "=x", "two lines", "bell", "_x0041_", long,
    ]  # fmt: skip
    assert sum(tally.warnings.values()) == 5
    assert {rule for _, rule in tally.warnings} == {"column_renamed"}


def test_labels_and_the_zone_are_what_people_read() -> None:
    moment = pa.array([0], pa.timestamp("us", "UTC"))
    plain, encoded = moment.cast(pa.timestamp("us")), moment.dictionary_encode()
    table = pa.table({"a": moment, "b": plain, "c": encoded})
    layout = Layout(timezone=ZoneInfo("Europe/Berlin"), columns={"a": Column("Created")})
    rows = read_openpyxl(encode(table, layout)[0])["Export"]
    local = naive(1970, 1, 1, 1)
    assert rows == [
        ["Created (Europe/Berlin)", "b", "c (Europe/Berlin)"],
        [local, naive(1970, 1, 1), local],
    ]


def test_warnings_are_counted_by_the_columns_own_name() -> None:
    table = _table_named(["id", "id"])
    wide = table.set_column(1, "id", pa.array([10**17]))
    _, tally = encode(wide, Layout(columns={"id": Column("Number")}))
    assert tally.warnings[("id (2)", "long_number_as_text")] == 1


@pytest.mark.parametrize(
    ("values", "number_format"),
    [
        (pa.array([1]), "0"),
        (pa.array([1.5]), "General"),
        (pa.array(["x"]), "General"),
        (pa.array([Decimal("1.50")], pa.decimal128(9, 2)), "0.00"),
        (pa.array([Decimal(1)], pa.decimal128(20, 0)), "0"),
        (pa.array([Decimal("1.5")], pa.decimal128(38, 18)), "0.0"),
        (pa.array([0], pa.date32()), "yyyy-mm-dd"),
        (pa.array([1], pa.timestamp("s")), "yyyy-mm-dd hh:mm:ss"),
        (pa.array([1_000_000], pa.timestamp("us")), "yyyy-mm-dd hh:mm:ss"),
        (pa.array([1_001_000], pa.timestamp("us")), "yyyy-mm-dd hh:mm:ss.000"),
        (pa.array([1_250_000], pa.timestamp("us")), "yyyy-mm-dd hh:mm:ss.00"),
        (pa.array([0], pa.time32("s")), "hh:mm:ss"),
        (pa.array([timedelta(hours=30)]), "[h]:mm:ss"),
        (pa.array([timedelta(milliseconds=5)]), "[h]:mm:ss.000"),
    ],
)
def test_a_number_format_follows_from_the_type_and_the_value(
    values: pa.Array, number_format: str
) -> None:
    assert _sheet(pa.table({"a": values}))["A2"].number_format == number_format


def test_postgresql_numerics_show_as_many_places_as_they_have() -> None:
    texts = pa.array(["1.5", "2.25", None])
    kind = pa.opaque(pa.string(), "numeric", "PostgreSQL")
    opaque = pa.table({"a": pa.ExtensionArray.from_storage(kind, texts)})
    marked = pa.table(
        [texts],
        schema=pa.schema([pa.field("a", pa.string(), metadata={"waybill.kind": "decimal"})]),
    )
    for table in (opaque, marked):
        sheet = _sheet(table)
        assert [sheet[name].number_format for name in ("A2", "A3")] == ["0.0", "0.00"]
        assert sheet["A3"].value == 2.25


def test_what_the_layout_asks_for_wins() -> None:
    column = Column(label="N", number_format="0.0", width=33)
    sheet = _sheet(pa.table({"a": [1]}), Layout(columns={"a": column}))
    assert sheet["A2"].number_format == "0.0"
    assert round(sheet.column_dimensions["A"].width) in (33, 34)


def test_a_column_as_text_keeps_text_when_edited() -> None:
    sheet = _sheet(pa.table({"a": [1]}), Layout(columns={"a": Column(as_text=True)}))
    assert (sheet["A2"].value, sheet["A2"].number_format) == ("1", "@")


def test_widths_follow_what_is_shown_within_bounds() -> None:
    table = pa.table(
        {
            "n": ["x"] * 50,
            "address": ["z" * 25] * 50,
            "中文": ["北京市朝阳区建国路"] * 50,
            "long": ["y" * 500] * 50,
        }
    )
    sheet = _sheet(table)
    widths = [sheet.column_dimensions[letter].width for letter in "ABCD"]
    assert 5 < widths[0] < 9
    assert 26 < widths[1] < 30
    assert 19 < widths[2] < 23
    assert 59 < widths[3] < 62


def test_the_header_is_bold_frozen_and_repeated_in_print() -> None:
    sheet = _sheet(pa.table({"a": [1]}))
    assert sheet["A1"].font.bold
    assert not sheet["A2"].font.bold
    assert sheet.freeze_panes == "A2"
    assert sheet.print_title_rows == "$1:$1"


def test_no_number_format_is_empty() -> None:
    """Excel repairs a workbook that has a format without code."""
    table = pa.table({"a": [1.5], "b": [True], "c": ["x"], "d": [1]})
    assert b'formatCode=""' not in parts(encode(table)[0])["xl/styles.xml"]


def test_the_title_may_hold_anything() -> None:
    data, _ = encode(pa.table({"a": [1]}), Layout(title="<Q1> & \x00 [2026]: 导出"))
    assert list(read_openpyxl(data)) == ["<Q1> &  _2026__ 导出"]


def test_the_about_sheet_says_what_was_asked_written_and_changed() -> None:
    table = pa.table({"id": [10**16, 10**17, 1], "x": [float("nan"), 1.0, 2.0]})
    about = [("Made by", "=anna"), ("Filter", "city = 'Łódź'\nsecond line")]
    data, tally = encode(table, Layout(title="Orders", about=about))
    book = read_openpyxl(data)
    assert list(book) == ["Orders", "About this export"]
    rows = [tuple(row) for row in book["About this export"] if any(row)]
    assert rows == [
        ("About this export", None, None),
        ("Made by", "=anna", None),
        ("Filter", "city = 'Łódź'\nsecond line", None),
        ("Rows in this file", 3, None),
        ("Column", "What was changed", "Values"),
        ("id", "Numbers of more than 15 digits, written as text to stay exact", 2),
        ("x", "NaN or infinity, written as text", 1),
    ]
    assert tally.warnings == Counter(
        {("id", "long_number_as_text"): 2, ("x", "not_finite_as_text"): 1}
    )


def test_the_about_sheet_says_so_when_nothing_was_changed() -> None:
    data, _ = encode(pa.table({"id": [1]}), Layout(about=[("Made by", "anna")]))
    rows = read_openpyxl(data)["About this export"]
    assert ["Every value is in this file exactly as it was read.", None] in [
        row[:2] for row in rows
    ]


def test_without_lines_there_is_no_about_sheet() -> None:
    assert list(read_openpyxl(encode(pa.table({"id": [1]}))[0])) == ["Export"]


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (0.001, "General"),
        (123456789.12, "0.00"),
        (123456789012.0, "0"),
        (-1234567890.5, "0.0"),
        (1.234567e-20, "General"),
        (2 / 3, "General"),
    ],
)
def test_a_float_that_general_would_round_shows_its_places(
    value: float, number_format: str
) -> None:
    """FC15"""
    sheet = _sheet(pa.table({"a": [1.5] * 2_000 + [value]}))
    assert sheet["A2002"].number_format == number_format
