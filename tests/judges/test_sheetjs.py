"""Our workbooks as SheetJS reads them: the library behind most of what browsers do with Excel."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.cells import CELLS, CellCase
from tests.judges.files import (
    CITIES,
    CORPUS_ROWS,
    DECORATED_SHEETS,
    corpus_workbook,
    decorated_workbook,
    total,
)

_READER = Path(__file__).parent / "javascript" / "sheetjs.js"

Sheet = dict[tuple[int, int], dict[str, Any]]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """The sheets of the corpus and of the decorated workbook."""
    folder = tmp_path_factory.mktemp("sheetjs")
    paths = [folder / "corpus.xlsx", folder / "decorated.xlsx"]
    for path, data in zip(paths, (corpus_workbook(), decorated_workbook()), strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        ["node", _READER, *paths], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{done.stderr}\nIs it installed? Run tests/install-servers."
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def corpus(books: list[list[dict[str, Any]]]) -> Sheet:
    """The cells of the corpus by row and column."""
    [sheet] = books[0]
    assert sheet["name"] == "Corpus"
    return _by_place(sheet)


def _by_place(sheet: dict[str, Any]) -> Sheet:
    return {(cell["row"], cell["column"]): cell for cell in sheet["cells"]}


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_sheetjs_reads_every_hostile_value(case: CellCase, corpus: Sheet):
    column = CELLS.index(case) + 1
    found = [corpus.get((row, column)) for row in range(1, CORPUS_ROWS + 1)]
    values = [_as_wanted(*pair) for pair in zip(found, case.xlsx, strict=False)]
    assert values == list(case.xlsx)
    assert [type(value) for value in values] == [type(value) for value in case.xlsx]
    assert found[len(values) :] == [None] * (CORPUS_ROWS - len(values))


def _as_wanted(cell: dict[str, Any] | None, wanted: Any) -> Any:
    """The value of `cell`, its parts put together where Python has a type of its own for it."""
    if cell is None or not isinstance(cell["value"], dict):
        # JSON has one kind of number.
        value = cell and cell["value"]
        return float(value) if type(wanted) is float and type(value) is int else value
    value = cell["value"]
    hours, minutes, seconds = value["clock"]
    fraction = timedelta(milliseconds=round(value["fraction"] * 1_000))
    if isinstance(wanted, timedelta):
        return fraction + timedelta(
            days=value["days"], hours=hours, minutes=minutes, seconds=seconds
        )
    if isinstance(wanted, time):
        return time(hours, minutes, seconds)
    stamp = datetime(*value["date"], hours, minutes, seconds) + fraction  # noqa: DTZ001
    assert cell["shown"] == wanted.isoformat(" ", "milliseconds")[: len(cell["shown"])]
    return stamp


def test_sheetjs_finds_no_formula_and_no_link_in_the_corpus(corpus: Sheet):
    assert [cell for cell in corpus.values() if "formula" in cell or "link" in cell] == []


def test_sheetjs_finds_every_row_and_heading_of_the_corpus(corpus: Sheet):
    headings = [corpus[0, column]["value"] for column in range(1 + len(CELLS))]
    assert headings[0] == "row"
    assert [heading.partition(" ")[0] for heading in headings[1:]] == [
        str(number) for number in range(len(CELLS))
    ]
    rows = [corpus[row, 0]["value"] for row in range(1, CORPUS_ROWS + 1)]
    assert rows == list(range(CORPUS_ROWS))
    assert max(row for row, _ in corpus) == CORPUS_ROWS


def test_sheetjs_finds_all_sheets_of_a_decorated_workbook(books: list[list[dict[str, Any]]]):
    sheets = {sheet["name"]: sheet for sheet in books[1]}
    assert list(sheets) == DECORATED_SHEETS
    number = 0
    for city, rows in CITIES.items():
        cells = _by_place(sheets[city])
        assert sheets[city]["filter"] == {"ref": f"A1:B{rows + 1}"}
        assert [cells[0, column]["value"] for column in (0, 1)] == ["n", "city"]
        for row in range(1, rows + 1):
            assert (cells[row, 0]["value"], cells[row, 1]["value"]) == (number, city)
            number += 1
        # The one formula, which the hook wrote, with its value.
        formulas = {place: cell for place, cell in cells.items() if "formula" in cell}
        assert list(formulas) == [(rows + 1, 0)]
        assert formulas[rows + 1, 0]["formula"] == f"SUM(A2:A{rows + 1})"
        assert formulas[rows + 1, 0]["value"] == total(city)
    about = [cell["value"] for cell in sheets["About this export"]["cells"]]
    assert about[1:3] == ["Made for", "the judges"]
    assert sum(CITIES.values()) in about
