"""Archives of workbooks, as zipfile, unzip and calamine see them."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile

import pyarrow as pa
import pytest
from python_calamine import load_workbook

from tests.support.benchmark_rows import make_batches
from tests.support.encoded import bytes_before_failure, encode_table
from waybill.exporter.blocks.block import Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.workbook_archive import workbook_archive_encoder
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.rows.seals import sealed

ROWS = pa.Table.from_batches(make_batches(2_500))


def ids_in(workbook: bytes) -> list[int]:
    rows = load_workbook(io.BytesIO(workbook)).get_sheet_by_index(0).to_python()
    assert rows[0][0] == "id"
    return [int(row[0]) for row in rows[1:]]


def test_workbooks_together_hold_every_row_once_in_order():
    data, tally = encode_table(workbook_archive_encoder(encode_xlsx, part_rows=1_000), ROWS)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        *names, last = archive.namelist()
        books = [archive.read(name) for name in names]
        manifest = json.loads(archive.read(last))
    assert names == [f"Export-0000{number}.xlsx" for number in (1, 2, 3)]
    assert last == "manifest.json"
    assert [ids_in(book) for book in books] == [
        list(range(1_000)),
        list(range(1_000, 2_000)),
        list(range(2_000, 2_500)),
    ]
    assert tally.rows == manifest["rowCount"] == 2_500
    for part, book in zip(manifest["resources"], books, strict=True):
        assert part["hash"] == f"sha256:{hashlib.sha256(book).hexdigest()}"
        assert part["bytes"] == len(book)
        assert part["format"] == "xlsx"
    assert [part["rows"] for part in manifest["resources"]] == [1_000, 1_000, 500]


def test_each_workbook_is_what_the_encoder_makes_of_its_rows():
    data, _ = encode_table(workbook_archive_encoder(encode_xlsx, part_rows=1_000), ROWS)
    alone, _ = encode_table(encode_xlsx, ROWS.slice(1_000, 1_000))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("Export-00002.xlsx") == alone


def test_unzip_finds_no_fault_outside_or_inside(tmp_path):
    data, _ = encode_table(workbook_archive_encoder(encode_xlsx, part_rows=2_000), ROWS)
    path = tmp_path / "books.zip"
    path.write_bytes(data)
    subprocess.run(["unzip", "-qq", path, "-d", tmp_path], check=True)
    for book in (path, *tmp_path.glob("*.xlsx")):
        subprocess.run(["unzip", "-tqq", book], check=True)


def test_no_rows_make_one_workbook_with_a_header():
    data, tally = encode_table(workbook_archive_encoder(encode_xlsx), ROWS.slice(0, 0))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["Export-00001.xlsx", "manifest.json"]
        assert ids_in(archive.read("Export-00001.xlsx")) == []
    assert tally.rows == 0


@pytest.mark.parametrize(("rows", "parts"), [(1_000, 1), (1_001, 2), (2_000, 2)])
def test_a_workbook_is_opened_only_for_a_row(rows: int, parts: int):
    encode = workbook_archive_encoder(encode_xlsx, part_rows=1_000)
    data, _ = encode_table(encode, ROWS.slice(0, rows), batch_rows=300)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == parts + 1


def test_warnings_of_all_workbooks_are_added_up():
    table = pa.table({"x": [float("nan")] * 25})
    alone, single = encode_table(encode_xlsx, table)
    data, tally = encode_table(workbook_archive_encoder(encode_xlsx, part_rows=10), table)
    assert alone != data
    assert tally == single
    assert sum(tally.warnings.values()) == 25


def test_bytes_of_a_workbook_are_passed_on_before_it_is_complete():
    def encode_slowly(schema, batches, layout, tally, place=None):
        tally.file = Checksum()
        for batch in batches:
            tally.rows += batch.num_rows
            tally.file += Checksum.of(bytes(200_000))
            yield bytes(200_000)

    tally = Tally()
    encode = workbook_archive_encoder(encode_slowly, part_rows=600)
    batches = sealed(ROWS.to_batches(max_chunksize=300))
    chunks = encode(ROWS.schema, batches, Layout(), tally)
    seen = [(tally.rows, len(chunk) > 200_000) for chunk in chunks]
    assert [rows for rows, large in seen if large] == [
        300,
        600,
        900,
        1200,
        1500,
        1800,
        2100,
        2400,
        2500,
    ]


def test_an_archive_whose_source_fails_has_no_manifest_and_no_directory():
    partial = bytes_before_failure(workbook_archive_encoder(encode_xlsx), ROWS)
    assert b"manifest.json" not in partial
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(partial))
