"""Our workbooks before openxml-audit, a validator with the schemas of Open XML."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus.declared_cells import DECLARED
from tests.judges.files import corpus_workbook, decorated_workbook
from tests.support.workbooks import encode
from waybill.exporter.datasets.layout import Layout


def _declared_workbook() -> bytes:
    column, _, _ = DECLARED["timestamps"]
    return encode(column, Layout(rows_expected=column.num_rows))[0]


@pytest.mark.slow
@pytest.mark.parametrize("make", [corpus_workbook, decorated_workbook, _declared_workbook])
def test_the_validator_finds_no_error(make: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / "book.xlsx").write_bytes(make())
    command = [Path(sys.executable).with_name("openxml-audit"), "-q", "-m", "0"]
    done = subprocess.run(
        [*command, "--ooxml-security", tmp_path / "book.xlsx"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
