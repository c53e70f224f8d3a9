"""A format is declared once: one entry, and everything else follows from it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest
import sqlalchemy as sa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.filenames import render_filename
from waybill.exporter.formats.file_shape import Shape, better_format, shape_of
from waybill.exporter.formats.registry import FORMATS, Format, format_named
from waybill.exporter.run import run_export
from waybill.infra.estimates.model import estimate_bytes
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

TOY = Format(
    name="toy",
    media_type="text/x-toy",
    encoder=f"{__name__}:encode_toy",
    empty_bytes=7,
    bytes_per_cell=2,
    part_rows=10,
)


def encode_toy(schema, batches, layout, tally):
    file = Checksum()
    for batch in batches:
        data = "".join(f"{row}\n" for row in batch.to_pylist()).encode()
        tally.rows += batch.num_rows
        file += Checksum.of(data)
        yield data
    tally.file = file


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Format:
    monkeypatch.setitem(FORMATS, TOY.name, TOY)
    return format_named("toy")


def test_a_new_format_exports(toy: Format):
    store = MemoryStore()

    result = run_export(
        open_source("sqlite://"),
        sa.select(sa.literal(1).label("n")),
        toy.encode,
        Layout(),
        lambda stream: store.open_upload("rows.toy", content_type=toy.media_type),
    )

    assert store.read("rows.toy") == b"{'n': 1}\n"
    assert result.rows_written == 1


def test_its_name_its_estimate_and_its_parts_follow(toy: Format):
    name = render_filename("{name}", name="orders", today=date(2026, 1, 1), extension=toy.extension)
    assert name == "orders.toy"
    assert estimate_bytes("toy", 10, 3, []) == 7 + 10 * 3 * 2
    assert shape_of("toy", 25, 0, sheet_by=False) == Shape(3, None)
    assert better_format("toy", Shape(3, None), 25, 3, 67) is None
    assert toy.label_key == "format_toy"


def test_the_api_and_the_command_line_offer_it():
    code = (
        "from tests.unit.test_toy_format import TOY\n"
        "from waybill.exporter.formats.registry import FORMATS\n"
        "FORMATS['toy'] = TOY\n"
        "from waybill.api.cli.main import main\n"
        "import sys\n"
        "from waybill.api.exports.schemas import ExportRequest\n"
        "assert 'toy' in ExportRequest.model_json_schema()['properties']['format']['enum']\n"
        "sys.argv = ['waybill', 'export', '--help']\n"
        "main()\n"
    )
    path = {"PYTHONPATH": ".:.src", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "toy" in done.stdout
