"""How many files and sheets rows become, and when another format is named."""

from __future__ import annotations

import pytest

from waybill.exporter.formats.csv.profiles import CSV_PART_BYTES
from waybill.exporter.formats.file_shape import Shape, better_format, shape_of
from waybill.exporter.formats.registry import FORMATS

SHEET = 1_048_575


@pytest.mark.parametrize(
    ("name", "rows", "csv_bytes", "shape"),
    [
        ("xlsx", 0, 0, Shape(1, 1)),
        ("xlsx", SHEET, 0, Shape(1, 1)),
        ("xlsx", SHEET + 1, 0, Shape(1, 2)),
        ("xlsx.zip", 2 * SHEET + 1, 0, Shape(3, None)),
        ("csv.zip", 1_000_000, 0, Shape(1, None)),
        ("csv.zip", 1_000_001, 0, Shape(2, None)),
        ("csv.zip", 10, 3 * CSV_PART_BYTES, Shape(3, None)),
        ("csv", 10**7, 0, Shape(1, None)),
        ("parquet", 10**9, 0, Shape(1, None)),
    ],
)
def test_rows_become_sheets_and_files(name, rows, csv_bytes, shape):
    assert shape_of(name, rows, csv_bytes, sheet_by=False) == shape


def test_nobody_knows_how_many_sheets_a_column_makes():
    assert shape_of("xlsx", 10, 0, sheet_by=True) == Shape(1, None)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "size", "better", "code"),
    [
        ("xlsx", SHEET + 1, 10, 0, "csv.zip", "several_sheets"),
        ("xlsx", 1000, 10, 101 << 20, "csv.zip", "too_large_to_open"),
        ("xlsx", 10, 16_385, 0, "csv.gz", "too_many_columns"),
        ("xlsx.zip", 11 * SHEET, 10, 0, "parquet", "too_many_rows_for_a_spreadsheet"),
        ("csv", SHEET + 1, 10, 0, "csv.zip", "rows_beyond_a_sheet"),
    ],
)
def test_a_better_format_is_named_with_its_reason(name, rows, columns, size, better, code):
    shape = shape_of(name, rows, 0, sheet_by=False)

    found = better_format(name, shape, rows, columns, size)

    assert (found.format, found.code) == (better, code)
    assert found.format in FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_what_opens_well_is_left_alone(name):
    shape = shape_of(name, SHEET, 0, sheet_by=False)

    assert better_format(name, shape, SHEET, None, 100 << 20) is None
