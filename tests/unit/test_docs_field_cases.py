"""Each field case has a test that exists, and remarks for readers are on their pages."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/field-cases.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]+\d+) \|(.*)\|$", PAGE, re.MULTILINE)
NAMED = r"`(tests/[\w/]+\.py)::(test_\w+)`"

#: Where nothing can be mended but what a reader knows: the page, and words of the remark.
REMARKS = [
    ("FC07", "sources", "Dates that are numbers in every row"),
    ("FC12", "limitations", "Intervals are what psql prints"),
    ("FC17", "formats", "`max_row` in openpyxl's read-only mode"),
    ("FC21", "formats", "a green triangle in its cell says that it is not part of a sum"),
    ("FC23", "formats", "Streaming readers of ExcelJS"),
    ("FC26", "formats", "only a sign, a number (`-5`, `+1,234.50`, `-12%`) or a telephone number"),
    ("FC27", "formats", "`02138` becomes 2138, a number of 19 digits loses its last four"),
    ("FC30", "formats", "parquetjs-lite | all but DECIMAL"),
    ("FC42", "stores", "From a program, take the link by JSON and fetch it bare."),
    ("FC43", "stores", "The store answers `Range` with 206"),
    ("N14", "limitations", "two texts of 100 MB"),
    ("N27", "formats", "Carriage returns"),
]


@cache
def defined_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_no_case_is_there_twice() -> None:
    ids = [case for case, _ in ROWS]
    assert len(ids) > 70
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize(("case", "row"), ROWS, ids=[case for case, _ in ROWS])
def test_each_case_names_tests_that_are_there(case: str, row: str) -> None:
    named = re.findall(NAMED, row)
    assert named
    for file, test in named:
        assert (ROOT / file).is_file(), file
        assert test in defined_in(ROOT / file), test
    assert row.count("::") == len(named)


@pytest.mark.parametrize(("case", "page", "words"), REMARKS)
def test_a_remark_for_readers_is_on_its_page(case: str, page: str, words: str) -> None:
    text = " ".join((ROOT / f"docs/{page}.md").read_text().split())
    assert words in text.replace("**", "")
    assert case in dict(ROWS)
