"""The package as a whole, judged by zipfile, unzip, file, expat and two readers."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from itertools import pairwise, repeat
from pathlib import Path
from xml.parsers import expat

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.benchmark_rows import make_batches
from tests.support.examples import examples
from tests.support.workbooks import SHEET, encode, parts, read_calamine, read_openpyxl
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.rows.seals import sealed

_TABLE = pa.Table.from_batches(make_batches(20_000))


@pytest.fixture(scope="module")
def file() -> bytes:
    """Two blocks of rows."""
    layout = Layout(title="Orders", about=[("Made for", "a test")])
    data, tally = encode(_TABLE, layout)
    assert tally.rows == 20_000
    return data


def test_with_zipfile_every_checksum_fits(file: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(file)) as package:
        assert package.testzip() is None


def test_with_unzip_every_checksum_fits(file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    path.write_bytes(file)
    done = subprocess.run(["unzip", "-tqq", path], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_first_entries_are_what_file_1_knows_a_workbook_by(file: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(file)) as package:
        names = package.namelist()
    assert names[:2] == ["[Content_Types].xml", "_rels/.rels"]
    assert names[3].startswith("xl/")
    assert names[4] == SHEET


def test_with_expat_every_part_is_well_formed(file: bytes) -> None:
    for name, part in parts(file).items():
        assert name.endswith((".xml", ".rels"))
        expat.ParserCreate().Parse(part, True)


def test_every_part_has_a_content_type_and_every_type_a_part(file: bytes) -> None:
    package = parts(file)
    types = package["[Content_Types].xml"].decode()
    sheets = r"xl/worksheets/sheet\d+\.xml"
    named = {
        f"/{name}"
        for name in package
        if not name.endswith((".rels", "Types].xml")) and not re.fullmatch(sheets, name)
    }
    assert re.search('Extension="xml" ContentType="[^"]*worksheet\\+xml"', types)
    assert all(f'PartName="{name}"' in types for name in named)
    assert types.count("PartName=") == len(named)


def test_no_entry_needs_zip64(file: bytes) -> None:
    """C36: Excel repairs packages with ZIP64 fields or version 4.5 in a local header."""
    with zipfile.ZipFile(io.BytesIO(file)) as package:
        for entry in package.infolist():
            assert entry.extra == b""
            assert entry.extract_version == 20
            version = struct.unpack_from("<H", file, entry.header_offset + 4)[0]
            assert version == 20
    assert b"PK\x06\x06" not in file[-200:]


@pytest.mark.slow
def test_both_readers_find_every_row_and_the_same_cells(file: bytes) -> None:
    ours = read_calamine(file)["Orders"]
    theirs = read_openpyxl(file)["Orders"]
    assert len(ours) == len(theirs) == 20_001
    for row in (1, 2, 16_384, 16_385, 20_000):
        assert [value for value in theirs[row] if value is not None] == [
            value for value in ours[row] if value != ""
        ]
    ids = [row[0] for row in ours[1:]]
    assert ids == list(range(20_000))


def test_no_dimension_is_claimed_before_the_rows_are_known(file: bytes) -> None:
    assert b"<dimension" not in parts(file)[SHEET]


def test_the_same_rows_make_the_same_bytes(file: bytes) -> None:
    again, _ = encode(_TABLE, Layout(title="Orders", about=[("Made for", "a test")]))
    assert again == file


@pytest.mark.slow
@given(st.lists(st.integers(0, 20_000), max_size=6))
@examples(8)
def test_bytes_do_not_depend_on_where_the_source_cuts_its_batches(cuts: list[int]) -> None:
    borders = sorted({0, *cuts, 20_000})
    batches = [
        batch
        for start, stop in pairwise(borders)
        for batch in _TABLE.slice(start, stop - start).to_batches()
    ]
    cut = pa.Table.from_batches(batches, _TABLE.schema)
    assert encode(cut)[0] == encode(_TABLE)[0]


@pytest.mark.slow
def test_no_workbook_is_a_zip_bomb() -> None:
    """C38: deflate's level 1 and the row numbers keep the worst rows below 1000:1."""
    worst = pa.table({"a": pa.array(["a" * 32_767] * 2_000)})
    data, _ = encode(worst)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        entry = package.getinfo(SHEET)
        assert entry.file_size < 1_000 * entry.compress_size


def test_a_consumer_may_stop_early_and_no_thread_goes_on() -> None:
    before = threading.active_count()
    endless = sealed(repeat(_TABLE.to_batches()[0]))
    chunks = encode_xlsx(_TABLE.schema, endless, Layout(), Tally())
    for _ in range(12):
        next(chunks)
    chunks.close()
    assert threading.active_count() == before


def test_an_error_of_the_source_comes_out_unchanged() -> None:
    def source() -> Iterator[pa.RecordBatch]:
        yield from _TABLE.to_batches()
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError, match="gone"):
        list(encode_xlsx(_TABLE.schema, sealed(source()), Layout(), Tally()))
