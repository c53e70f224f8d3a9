"""Every case of the cell corpus, read back by programs that are not ours."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
from openpyxl.utils.escape import unescape

from tests.corpus.cells import CELLS, ZONE, CellCase
from tests.support.workbooks import (
    SHEET,
    column_values,
    encode,
    parts,
    read_calamine,
    read_openpyxl,
)
from waybill.exporter.datasets.layout import Column, Layout

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

every_case = pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)


def _encode(case: CellCase, column: Column | None = None) -> bytes:
    """The case beside a full column, so that no row is lost to a reader as empty."""
    table = case.table.append_column("row", pa.array(range(len(case.array)), pa.int32()))
    layout = Layout(timezone=ZONE, columns={"value": column or Column()})
    data, tally = encode(table, layout)
    if column is None:
        found = {rule: count for (name, rule), count in tally.warnings.items()}
        assert found == dict(case.xlsx_warnings)
    return data


def _same(found: Any, wanted: Any) -> bool:
    number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
    if number and wanted == 0:
        return found == 0 and math.copysign(1, found) == math.copysign(1, wanted)
    return found == wanted if number else (found == wanted and type(found) is type(wanted))


@every_case
def test_openpyxl_reads_what_the_corpus_says(case: CellCase) -> None:
    found = column_values(read_openpyxl(_encode(case))["Export"])
    assert [pair for pair in zip(found, case.xlsx, strict=True) if not _same(*pair)] == []


@every_case
def test_calamine_reads_the_same_text_and_numbers(case: CellCase) -> None:
    found = column_values(read_calamine(_encode(case))["Export"])
    for value, wanted in zip(found, case.xlsx, strict=True):
        if isinstance(wanted, str):
            # calamine undoes all escapes but those of U+FFFE and U+FFFF.
            assert (unescape(value) if case.number == "C14" else value) == wanted
        elif isinstance(wanted, int | float):
            assert value == wanted
        elif wanted is None:
            assert value == ""


@every_case
def test_no_cell_holds_a_formula_or_a_link(case: CellCase) -> None:
    package = parts(_encode(case))
    sheet = ET.fromstring(package[SHEET])  # noqa: S314  our own file
    assert sheet.findall(f".//{_MAIN}f") == []
    assert sheet.findall(f".//{_MAIN}hyperlink") == []


@every_case
def test_null_has_no_cell_and_everything_else_has_one(case: CellCase) -> None:
    sheet = ET.fromstring(parts(_encode(case))[SHEET])  # noqa: S314
    cells = {cell.get("r") for cell in sheet.iter(f"{_MAIN}c")}
    for row, value in enumerate(case.xlsx, 2):
        assert (f"A{row}" in cells) == (value is not None)


@every_case
def test_a_column_asked_for_as_text_holds_nothing_but_text(case: CellCase) -> None:
    found = column_values(read_openpyxl(_encode(case, Column(as_text=True)))["Export"])
    assert {type(value) for value in found} <= {str, type(None)}
    assert [value is None for value in found] == [value is None for value in case.xlsx]
