"""Whole packages as expat and unzip judge them: the corpus, and a workbook with a chart."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

import pytest

from tests.judges.files import corpus_workbook, decorated_workbook
from tests.support.workbooks import parts

both_workbooks = pytest.mark.parametrize("make", [corpus_workbook, decorated_workbook])


@both_workbooks
def test_with_expat_every_part_is_well_formed(make: Callable[[], bytes]):
    package = parts(make())
    for name, part in package.items():
        assert name.endswith((".xml", ".rels", ".vml"))
        expat.ParserCreate().Parse(part, True)
    assert len(package) > 8


@both_workbooks
def test_with_unzip_every_checksum_fits(make: Callable[[], bytes], tmp_path: Path):
    path = tmp_path / "book.xlsx"
    path.write_bytes(make())
    done = subprocess.run(["unzip", "-tqq", path], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@both_workbooks
def test_every_relation_leads_to_a_part_that_is_there(make: Callable[[], bytes]):
    package = parts(make())
    targets = []
    for name, part in package.items():
        if not name.endswith(".rels"):
            continue
        # `a/_rels/b.xml.rels` speaks of a/b.xml, and its targets are relative to a/.
        base = Path("/", name).parent.parent

        def collect(tag: str, attributes: dict[str, str], base: Path = base) -> None:
            if tag == "Relationship":
                targets.append((base / attributes["Target"]).resolve())

        parser = expat.ParserCreate()
        parser.StartElementHandler = collect
        parser.Parse(part, True)
    assert {str(target)[1:] for target in targets} <= set(package)
    assert len(targets) > 5


def test_the_chart_shows_every_row_of_every_data_sheet():
    chart = parts(decorated_workbook())["xl/charts/chart1.xml"].decode()
    ranges = re.findall("<c:val><c:numRef><c:f>([^<]*)</c:f>", chart)
    assert ranges == ["Berlin!$A$2:$A$41", "'São Paulo'!$A$2:$A$26", "上海!$A$2:$A$36"]
