"""Our workbooks and CSV files as LibreOffice opens them."""

from __future__ import annotations

import math
import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.corpus.cells import CELLS, CellCase
from tests.judges.files import (
    CITIES,
    CORPUS_ROWS,
    DECORATED_SHEETS,
    corpus_csv,
    corpus_workbook,
    decorated_workbook,
    total,
)
from tests.judges.libreoffice import UTF8_CSV, Cell, Sheet, open_all
from tests.support.encoded import encode_table
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.profiles import MACHINE

#: What LibreOffice keeps in a cell, but cannot write to OpenDocument, which is XML.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the profile of LibreOffice, which the first start makes."""
    return tmp_path_factory.mktemp("libreoffice")


@pytest.fixture(scope="module")
def workbooks(folder: Path) -> dict[str, dict[str, Sheet]]:
    """The sheets of our workbooks."""
    paths = [folder / "corpus.xlsx", folder / "decorated.xlsx"]
    for path, data in zip(paths, (corpus_workbook(), decorated_workbook()), strict=True):
        path.write_bytes(data)
    return open_all(paths, folder)


@pytest.fixture(scope="module")
def corpus(workbooks: dict[str, dict[str, Sheet]]) -> Sheet:
    """The one sheet of the corpus."""
    assert list(workbooks["corpus"]) == ["Corpus"]
    return workbooks["corpus"]["Corpus"]


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_libreoffice_shows_every_hostile_value(case: CellCase, corpus: Sheet):
    column = CELLS.index(case) + 1
    found = [corpus.get((row, column)) for row in range(1, CORPUS_ROWS + 1)]
    wrong = [pair for pair in zip(found, case.xlsx, strict=False) if not _shows(*pair)]
    assert wrong == []
    assert found[len(case.xlsx) :] == [None] * (CORPUS_ROWS - len(case.xlsx))


def _shows(cell: Cell | None, wanted: Any) -> bool:
    if wanted is None or cell is None:
        # A cell with an empty text is an empty cell to OpenDocument.
        return cell is None and wanted in (None, "")
    for kinds, same in _SAME.items():
        if isinstance(wanted, kinds):
            return bool(same(cell, wanted))
    raise AssertionError(f"the corpus has a new kind of value: {wanted!r}")


def _same_text(cell: Cell, wanted: str) -> bool:
    text = _NOT_IN_XML.sub("", wanted).replace("\r\n", "\n")
    return cell.kind == "string" and cell.value == text


def _same_stamp(cell: Cell, wanted: datetime) -> bool:
    # OpenDocument gets fewer digits of a second than a person.
    day = cell.value[: len("2026-07-01")]
    return (
        cell.kind == "date"
        and day == wanted.date().isoformat()
        and cell.shown == wanted.isoformat(" ", "milliseconds")[: len(cell.shown)]
    )


def _same_span(cell: Cell, wanted: timedelta) -> bool:
    hours, minutes, seconds = map(int, re.fullmatch(r"PT(\d+)H(\d+)M(\d+)S", cell.value).groups())
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return cell.kind == "time" and span == wanted


#: Whether a cell is what is wanted, by the kind of value that is.
_SAME = {
    bool: lambda cell, wanted: (cell.kind, cell.value) == ("boolean", str(wanted).lower()),
    # It writes 15 digits of a number.
    (int, float): lambda cell, wanted: (
        cell.kind == "float" and math.isclose(float(cell.value), wanted, rel_tol=1e-14)
    ),
    str: _same_text,
    datetime: _same_stamp,
    timedelta: _same_span,
    time: lambda cell, wanted: (cell.kind, cell.value) == ("time", wanted.strftime("PT%HH%MM%SS")),
}


def test_libreoffice_finds_every_row_and_no_formula_in_the_corpus(corpus: Sheet):
    rows = [corpus[row, 0].value for row in range(1, CORPUS_ROWS + 1)]
    assert rows == [str(number) for number in range(CORPUS_ROWS)]
    assert max(row for row, _ in corpus) == CORPUS_ROWS
    assert max(column for _, column in corpus) == len(CELLS)
    # Its own way to keep a boolean that it reads from a workbook.
    formulas = {cell.formula for cell in corpus.values()}
    assert formulas == {None, "of:=TRUE()", "of:=FALSE()"}


def test_libreoffice_finds_all_sheets_and_rows_of_a_decorated_workbook(
    workbooks: dict[str, dict[str, Sheet]],
):
    sheets = workbooks["decorated"]
    assert list(sheets) == DECORATED_SHEETS
    number = 0
    for city, rows in CITIES.items():
        sheet = sheets[city]
        for row in range(1, rows + 1):
            assert (sheet[row, 0].value, sheet[row, 1].value) == (str(number), city)
            number += 1
        formulas = {place: cell for place, cell in sheet.items() if cell.formula}
        assert list(formulas) == [(rows + 1, 0)]
        assert formulas[rows + 1, 0].value == str(total(city))


def test_libreoffice_runs_no_formula_of_a_guarded_csv_file(folder: Path):
    unguarded, _ = encode_table(csv_encoder(MACHINE), pa.table({"v": ["=1+1"]}))
    (folder / "guarded.csv").write_bytes(corpus_csv())
    (folder / "unguarded.csv").write_bytes(unguarded)
    paths = [folder / "guarded.csv", folder / "unguarded.csv"]
    found = open_all(paths, folder, import_filter=UTF8_CSV)

    [guarded] = found["guarded"].values()
    assert [cell for cell in guarded.values() if cell.formula] == []
    assert max(row for row, _ in guarded) == CORPUS_ROWS
    assert guarded[0, 0].value == "row"
    # It would run one, if it found one.
    assert found["unguarded"] == {"unguarded": {**_HEADING, (1, 0): _TWO}}


_HEADING = {(0, 0): Cell("string", "v", "v", None)}
_TWO = Cell("float", "2", "2", "of:=1+1")
