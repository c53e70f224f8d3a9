"""Our workbooks before openxml-audit: the whole corpus, a decorated one, declared columns."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.corpus.declared_cells import DECLARED
from tests.judges.files import corpus_workbook, decorated_workbook
from tests.judges.openxml_audit import errors
from tests.support.workbooks import encode, parts
from waybill.exporter.datasets.layout import Layout

pytestmark = pytest.mark.slow


def test_the_validator_finds_no_error(tmp_path: Path) -> None:
    declared = {
        name: encode(column, Layout(rows_expected=column.num_rows))[0]
        for name, (column, _, _) in DECLARED.items()
    }
    books = {"corpus": corpus_workbook(), "decorated": decorated_workbook(), **declared}
    assert errors(books, tmp_path / "books") == ""


def test_the_validator_would_find_one(tmp_path: Path) -> None:
    broken = io.BytesIO()
    with zipfile.ZipFile(broken, "w") as package:
        for name, part in parts(decorated_workbook()).items():
            package.writestr(
                name, part.replace(b"<sheetData>", b"<rows>").replace(b"</sheetData>", b"</rows>")
            )
    assert "rows" in errors({"broken": broken.getvalue()}, tmp_path / "books")
