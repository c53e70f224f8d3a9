"""A shard whose writing goes on in another process, at any mark, has the bytes of one that was not
disturbed (F133)."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pyarrow as pa
import pytest

from tests.support.shard_files import ROWS, SCHEMA, bytes_of, rows, shard
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.csv_archive import CsvParts
from waybill.exporter.formats.archive.going_digest import GoingDigest
from waybill.exporter.formats.archive.shards import ArchiveShards
from waybill.exporter.formats.archive.workbook_archive import WorkbookParts
from waybill.exporter.formats.part_ends import PartEnds
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.formats.shard_end import Mark, ShardedFile, ShardsDoNotFit
from waybill.exporter.formats.xlsx.shards import XlsxShards
from waybill.exporter.rows.batch_cuts import regroup
from waybill.exporter.rows.seals import sealed

KINDS = [
    pytest.param(FORMATS["csv.gz"].sharded(), id="csv.gz"),
    pytest.param(FORMATS["jsonl.gz"].sharded(), id="jsonl.gz"),
    pytest.param(XlsxShards(sheet_rows=20_000), id="xlsx"),
    pytest.param(ArchiveShards(CsvParts(part_rows=15_000)), id="csv.zip"),
    pytest.param(ArchiveShards(WorkbookParts(part_rows=15_000)), id="xlsx.zip"),
]
#: So little that every run of rows ends a part.
LEAST = 10_000


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("encoding", KINDS)
def test_f133_a_shard_that_goes_on_at_any_mark_is_the_same_byte_by_byte(encoding, number):
    size = encoding.rows_of_shard(ROWS * 6 // 10)
    notes = encoding.prepare(SCHEMA, sealed(rows(0, size)), Layout())
    file = ShardedFile(ROWS, size, notes)
    whole, end = shard(encoding, file, number, LEAST)
    marks = [at for at, piece in enumerate(whole) if isinstance(piece, Mark)]
    assert marks
    for at in marks:
        begin = whole[at]
        assert begin.so_far.file.size_bytes == len(bytes_of(whole[:at]))
        rest, end_of_rest = shard(encoding, file, number, LEAST, begin)
        assert bytes_of(rest) == bytes_of(whole[at:])
        assert [p for p in rest if isinstance(p, Mark)] == [whole[n] for n in marks if n > at]
        assert end_of_rest == end


@pytest.mark.parametrize("encoding", KINDS)
def test_f133_parts_have_the_least_bytes_and_the_last_one_too(encoding):
    size = encoding.rows_of_shard(ROWS)
    notes = encoding.prepare(SCHEMA, sealed(rows(0, size)), Layout())
    pieces, end = shard(encoding, ShardedFile(ROWS, size, notes), 0, LEAST)
    ends = [p.so_far.file.size_bytes for p in pieces if isinstance(p, Mark)]
    ends = [0, *ends, end.file.size_bytes]
    assert all(later - earlier >= LEAST for earlier, later in pairwise(ends))


def test_f133_no_part_ends_where_what_is_left_is_expected_to_be_too_short():
    ends = PartEnds(rows=100, least_bytes=10, part_bytes=10)
    assert not ends.is_end(9, 10)
    assert ends.is_end(10, 10)
    assert not ends.is_end(19, 20)
    assert ends.is_end(40, 80)
    assert ends.missing(45) == 5
    assert not ends.is_end(50, 90)
    assert ends.missing(50) == 0
    assert not ends.is_end(60, 100)


def test_larger_parts_need_no_more_bytes_at_the_end():
    ends = PartEnds.of(ShardedFile(100, 100, {}, part_bytes=40), 0, 10)
    assert not ends.is_end(39, 30)
    assert ends.is_end(40, 30)
    assert not ends.is_end(79, 70)
    assert (ends.missing(45), ends.missing(50)) == (5, 0)


def test_f133_a_digest_goes_on_in_another_process():
    data = bytes(range(251)) * 40
    for cut in (0, 1, 63, 64, 65, 5_000):
        first = GoingDigest()
        first.update(data[:cut])
        assert first.hexdigest() == hashlib.sha256(data[:cut]).hexdigest()
        state = first.state
        assert state is not None
        second = GoingDigest(state)
        second.update(data[cut:])
        assert second.hexdigest() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("of_a_batch", [1, 7, 64])
def test_f133_cuts_of_wide_rows_do_not_depend_on_the_batches_of_the_source(of_a_batch):
    texts = ["x" * (n * 37 % 400) for n in range(300)]
    numbers = list(range(300))

    def cuts(start: int) -> list[tuple[int, int]]:
        batches = sealed(
            pa.record_batch({"n": numbers[at : at + of_a_batch], "t": texts[at : at + of_a_batch]})
            for at in range(start, 300, of_a_batch)
        )
        made = regroup(batches, rows=50, max_bytes=2_000)
        return [(start + cut.first_row, cut.rows) for cut in made]

    whole = cuts(0)
    assert len(whole) > 20
    for first, _ in whole[5::10]:
        assert cuts(first) == [cut for cut in whole if cut[0] >= first]


def test_a_sheet_that_would_be_too_large_ends_the_shards():
    encoding = XlsxShards(sheet_rows=20_000, sheet_bytes=100_000)
    notes = encoding.prepare(SCHEMA, sealed(rows(0, 20_000)), Layout())
    with pytest.raises(ShardsDoNotFit):
        shard(encoding, ShardedFile(ROWS, 20_000, notes), 0, LEAST)
