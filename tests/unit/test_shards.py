"""Shards joined are one file, and no byte is lost where they meet."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections import Counter

import pytest
from python_calamine import CalamineWorkbook

from tests.support.shard_files import ROWS, SCHEMA, in_shards, rows
from waybill.exporter.blocks.block import Block, Checksum, padding
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.part_archive import ArchivePart
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.formats.shard_end import ShardEnd
from waybill.exporter.formats.xlsx.shards import XlsxShards
from waybill.exporter.rows.seals import sealed
from waybill.exporter.stop import StopToken
from waybill.exporter.warning_rules import WarningRule
from waybill.infra.tasks.tree_digest import is_tree_digest, tree_digest
from waybill.storage.errors import UploadConflict, UploadTooLarge
from waybill.storage.memory import MemoryStore
from waybill.storage.parts import MIN_PART_BYTES


@pytest.mark.parametrize("name", ["csv.gz", "jsonl.gz"])
@pytest.mark.parametrize("least", [0, MIN_PART_BYTES])
def test_shards_joined_are_the_file_that_one_process_writes(name, least):
    tally = Tally()
    encoded = FORMATS[name].encode(SCHEMA, sealed(rows(0, ROWS)), Layout(), tally)
    whole = gzip.decompress(b"".join(encoded))
    joined, ends = in_shards(FORMATS[name].sharded(), 33_000, least)
    assert gzip.decompress(joined) == whole
    assert sum((end.warnings for end in ends), Counter()) == tally.warnings


@pytest.mark.parametrize("least", [0, 300_000])
def test_a_workbook_in_shards_has_every_row_on_full_sheets(least):
    whole, _ = in_shards(XlsxShards(sheet_rows=20_000), 45_000, least)
    assert whole == in_shards(XlsxShards(sheet_rows=20_000), 45_000, least)[0]
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "[Content_Types].xml"
    book = CalamineWorkbook.from_filelike(io.BytesIO(whole))
    assert book.sheet_names == ["Export", *(f"Export ({n})" for n in range(2, 6))]
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert {tuple(sheet[0]) for sheet in sheets} == {("n", "=text")}
    assert [row[0] for sheet in sheets for row in sheet[1:]] == list(range(ROWS))
    assert [len(sheet) for sheet in sheets] == [20_001] * 5


def test_padding_is_read_as_nothing():
    blocks = Block.of(b"before") + padding(1_001) + Block.of(b"after")
    assert blocks.packed.size_bytes > 1_001
    assert zlib.decompress(blocks.data + b"\x03\x00", -15) == b"beforeafter"
    assert blocks.raw == Checksum.of(b"beforeafter")


def test_a_shards_end_is_the_same_behind_the_database():
    end = ShardEnd(
        3,
        Checksum(1, 2),
        Checksum(3, 4),
        [("xl/worksheets/sheet1.xml", 1, 2, 3, 4, 5)],
        [ArchivePart("Export-00001.csv", 1, 2, "cd")],
        [(1, "ab")],
        Counter({("n", WarningRule.TYPE_AS_TEXT): 5}),
    )
    assert ShardEnd.from_json(end.to_json()) == end


def written(store: MemoryStore, sizes: dict[int, int], *, most: int = 3) -> bytes:
    """An object whose runs, by their first numbers, have these sizes, written last run first."""
    upload = store.begin_shared("key", "text/csv")
    parts = {}
    for first, size in reversed(sizes.items()):
        with store.part_run(
            "key", upload, first=first, most=most, part_bytes=MIN_PART_BYTES, is_last=first == 90
        ) as run:
            for start in range(0, size, 1 << 20):
                run.write(bytes([first]) * min(1 << 20, size - start))
            parts[first] = run.finish()
    in_order = [part for first in sizes for part in parts[first]]
    assert all(part.size_bytes >= MIN_PART_BYTES for part in in_order[:-1])
    store.complete_shared("key", upload, in_order)
    return store.read("key")


def test_the_end_of_a_run_is_never_too_short_for_a_part():
    sizes = {1: 2 * MIN_PART_BYTES + 1, 10: MIN_PART_BYTES, 20: 3 * MIN_PART_BYTES - 1, 90: 20}
    assert written(MemoryStore(), sizes) == b"".join(
        bytes([first]) * size for first, size in sizes.items()
    )


def test_f133_a_run_goes_on_behind_the_parts_that_another_process_has_sent():
    store = MemoryStore()
    upload = store.begin_shared("key", "text/csv")
    body = bytes(range(256)) * (MIN_PART_BYTES // 256)
    run = {"first": 4, "most": 5, "part_bytes": 2 * MIN_PART_BYTES, "is_last": True}
    with store.part_run("key", upload, **run) as first:
        first.write(body + b"first")
        sent = first.end_part()
        assert first.bytes_uploaded == len(body) + 5
        # What is not on record when a process is lost, is sent again.
        first.write(body + b"lost")
        first.end_part()
    with store.part_run("key", upload, **run, before=sent) as second:
        assert second.bytes_uploaded == len(body) + 5
        second.write(body + b"second")
        parts = second.finish()
    assert [part.number for part in parts] == [4, 5]
    store.complete_shared("key", upload, parts)
    assert store.read("key") == body + b"first" + body + b"second"


def test_a_part_is_not_ended_too_early():
    store = MemoryStore()
    upload = store.begin_shared("key", "text/csv")
    run = store.part_run("key", upload, first=1, most=5, part_bytes=MIN_PART_BYTES)
    run.write(bytes(MIN_PART_BYTES - 1))
    with pytest.raises(ValueError, match="too short"):
        run.end_part()


def test_a_run_takes_no_number_of_another():
    with pytest.raises(UploadTooLarge):
        written(MemoryStore(), {1: 4 * MIN_PART_BYTES}, most=3)


def test_a_part_that_comes_after_the_end_is_refused():
    store = MemoryStore()
    upload = store.begin_shared("key", "text/csv")
    late = store.part_run("key", upload, first=1, most=1, part_bytes=MIN_PART_BYTES)
    store.abort_uploads("key")
    late.write(bytes(MIN_PART_BYTES))
    with pytest.raises(UploadConflict):
        late.finish()


def test_a_tree_digest_says_what_it_is():
    digest = tree_digest(["00" * 32, "11" * 32])
    assert is_tree_digest(digest)
    assert digest != tree_digest(["11" * 32, "00" * 32])
    assert not is_tree_digest("00" * 32)


def test_a_paused_export_waits_and_a_stop_ends_it():
    from threading import Event, Thread

    from waybill.exporter.errors import ExportCancelled

    token, paused, seen = StopToken(), Event(), []

    def export() -> None:
        try:
            for turn in range(3):
                token.check()
                seen.append(turn)
                token.wait(0.01)
        except ExportCancelled:
            seen.append("stopped")

    token.pause(paused.set)
    thread = Thread(target=export)
    thread.start()
    assert paused.wait(10)
    assert seen == []
    token.resume()
    thread.join(10)
    assert seen == [0, 1, 2]
    token.pause(lambda: None)
    thread = Thread(target=export)
    thread.start()
    token.request(ExportCancelled())
    thread.join(10)
    assert seen[-1] == "stopped"
