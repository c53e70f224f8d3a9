"""Archives in shards hold, entry by entry, what one process writes."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.support.shard_files import LAYOUT, ROWS, SCHEMA, in_shards, rows
from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.zip_stream import ZipStream
from waybill.exporter.formats.archive.csv_archive import CsvParts, csv_archive_shards
from waybill.exporter.formats.archive.part_archive import archive_encoder
from waybill.exporter.formats.archive.shards import ArchiveShards
from waybill.exporter.formats.archive.workbook_archive import WorkbookParts
from waybill.exporter.formats.csv.profiles import EXCEL_SEMICOLON
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.registry import FORMATS, format_named
from waybill.exporter.formats.shard_end import ShardsDoNotFit
from waybill.exporter.rows.seals import sealed
from waybill.storage.parts import MIN_PART_BYTES

#: Shards of three parts, of two, of one; and a last part that is not full.
KINDS = [
    pytest.param(CsvParts(part_rows=15_000), id="csv.zip"),
    pytest.param(CsvParts(EXCEL_SEMICOLON, part_rows=15_000), id="csv.zip for Excel"),
    pytest.param(WorkbookParts(part_rows=15_000), id="xlsx.zip"),
]


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("least", [0, MIN_PART_BYTES], ids=["as it is", "filled up"])
@pytest.mark.parametrize("wanted", [50_000, 30_000, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_the_one_that_one_process_writes(kind, wanted, least):
    tally = Tally()
    whole = b"".join(archive_encoder(kind)(SCHEMA, sealed(rows(0, ROWS)), LAYOUT, tally))
    joined, ends = in_shards(ArchiveShards(kind), wanted, least)
    assert entries(joined) == entries(whole)
    assert list(entries(joined)) == list(entries(whole))
    assert len(entries(joined)) == 8
    assert sum((end.warnings for end in ends), Counter()) == tally.warnings
    if not least:
        assert joined == whole


@pytest.mark.parametrize("kind", KINDS)
def test_the_manifest_tells_each_part_as_it_is(kind):
    joined, _ = in_shards(ArchiveShards(kind), 30_000, MIN_PART_BYTES)
    found = entries(joined)
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest["rowCount"] == ROWS
    assert manifest["snapshot"] == "2026-03-01T09:00:00+00:00"
    assert bool(manifest["warnings"]) is (kind.extension == "csv")
    assert [item["rows"] for item in manifest["resources"]] == [15_000] * 6 + [10_000]
    for item, (name, content) in zip(manifest["resources"], found.items(), strict=True):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert (item["path"], item["bytes"], item["hash"]) == (name, len(content), digest)


@pytest.mark.parametrize("kind", KINDS)
def test_unzip_reads_it(kind, tmp_path: Path):
    file = tmp_path / "joined.zip"
    file.write_bytes(in_shards(ArchiveShards(kind), 30_000, MIN_PART_BYTES)[0])
    subprocess.run(["unzip", "-tqq", file], check=True)


def test_a_part_that_would_be_too_large_ends_the_shards():
    # In one piece there are more parts then. Rows are rendered by tens of thousands.
    kind = CsvParts(part_rows=50_000, part_bytes=300_000)
    with pytest.raises(ShardsDoNotFit):
        in_shards(ArchiveShards(kind), 50_000, 0)
    whole = b"".join(archive_encoder(kind)(SCHEMA, sealed(rows(0, ROWS)), LAYOUT, Tally()))
    assert len(entries(whole)) > 2 + 1


def test_shards_have_whole_parts():
    assert csv_archive_shards().rows_of_shard(5_000_000) == 5_000_000
    assert csv_archive_shards().rows_of_shard(2_500_000) == 2_000_000
    assert csv_archive_shards().rows_of_shard(1) == 1_000_000
    xlsx_zip = FORMATS["xlsx.zip"].sharded()
    assert xlsx_zip is not None
    assert xlsx_zip.rows_of_shard(5_000_000) == 4 * 1_048_575


def test_the_csv_of_a_request_is_that_of_its_shards():
    encoding = format_named("csv.zip", csv_profile=EXCEL_SEMICOLON).sharded()
    assert encoding is not None
    found = entries(in_shards(encoding, ROWS, 0)[0])
    assert found["Export-00001.csv"].startswith('\ufeff"n";"\'=text"'.encode())


def test_an_archive_of_shards_may_pass_4_gib(tmp_path: Path):
    """Read back from a file with holes, where only the second shard has been written."""
    first, second = ZipStream(zip64=True), ZipStream(zip64=True)
    written = [
        archive.open(name) + archive.add(Block.of(name.encode())) + archive.close()
        for archive, name in ((first, "first"), (second, "second"))
    ]
    far = Checksum(5 << 30)
    end = ZipStream.behind([(far, first.entries), (second.checksum, second.entries)], zip64=True)
    file = tmp_path / "far.zip"
    with file.open("wb") as sparse:
        sparse.write(written[0])
        sparse.seek(far.size_bytes)
        sparse.write(written[1] + end.finish())
    with zipfile.ZipFile(file) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [b"first", b"second"]
