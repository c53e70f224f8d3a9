"""The ``xlsx.zip`` format: workbooks of bounded length in one zip archive, with a manifest."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.archive.manifest import manifest_json
from waybill.exporter.formats.archive.part_archive import (
    ArchivePart,
    PartArchive,
    archive_encoder,
)
from waybill.exporter.formats.archive.shards import ArchiveShards
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.formats.xlsx.limits import MAX_DATA_ROWS, WORKBOOK_PART_ROWS
from waybill.exporter.formats.xlsx.places import WorkbookPlace
from waybill.exporter.formats.xlsx.sheet_columns import header_row_of
from waybill.exporter.rows.batch_cuts import split_rows

_RESOURCE = {
    "format": "xlsx",
    "mediatype": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class EncodeWorkbook(Protocol):
    """An encoder of workbooks that says where another process can go on."""

    def __call__(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
        place: WorkbookPlace | None = None,
    ) -> Generator[bytes, None, None]:
        """As `Encode`; see `encode_xlsx`."""
        ...


@dataclass(frozen=True, slots=True)
class WorkbookParts:
    """Workbooks of at most `part_rows` rows: the `ArchiveParts` of ``xlsx.zip``.

    They are what `encode_workbook` makes of each run of rows, streamed: none of them is ever whole
    in memory.
    """

    encode_workbook: EncodeWorkbook = encode_xlsx
    part_rows: int = WORKBOOK_PART_ROWS

    @property
    def extension(self) -> str:
        """Of each part."""
        return "xlsx"

    def write(
        self,
        archive: PartArchive,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
        *,
        is_first: bool,
    ) -> Generator[bytes, None, None]:
        """See `ArchiveParts.write`. Every workbook counts its own headings."""
        done = archive.rows if archive.is_open else 0
        left = None if layout.rows_expected is None else layout.rows_expected + done
        most = min(self.part_rows, MAX_DATA_ROWS - header_row_of(schema.names, layout))
        for number, run in enumerate(split_rows(batches, most, done=done)):
            if number:
                yield archive.close()
            rows = None if left is None else min(left, most)
            left = None if rows is None or left is None else left - rows
            if not archive.is_open:
                yield archive.open()
            workbook = replace(layout, rows_expected=rows)
            yield from self._workbook(archive, schema, run, workbook, tally)

    def _workbook(
        self,
        archive: PartArchive,
        schema: pa.Schema,
        run: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
    ) -> Generator[bytes, None, None]:
        part = Tally(archive.rows, tally.warnings)
        before = tally.rows - part.rows
        place = WorkbookPlace(archive.inside)
        with closing(self.encode_workbook(schema, run, layout, part, place)) as chunks:
            for chunk in chunks:
                # Nothing is yielded behind a run of rows, and at no other place.
                archive.inside = None if chunk else place.now
                tally.rows = before + part.rows
                yield archive.add(_stored(chunk, part.rows - archive.rows), chunk) if chunk else b""
        if part.file != archive.raw:
            raise IncompleteExport("A workbook was changed on its way into the archive.")

    def manifest(
        self, parts: Sequence[ArchivePart], schema: pa.Schema, layout: Layout, tally: Tally
    ) -> bytes:
        """See `ArchiveParts.manifest`."""
        return manifest_json(parts, _RESOURCE, schema, layout, tally)


def workbook_archive_encoder(
    encode_workbook: EncodeWorkbook, *, part_rows: int = WORKBOOK_PART_ROWS
) -> Encode:
    """The encoder of archives of workbooks; see `WorkbookParts`."""
    return archive_encoder(WorkbookParts(encode_workbook, part_rows))


#: The encoder of the ``xlsx.zip`` format.
encode_xlsx_zip = workbook_archive_encoder(encode_xlsx)


def workbook_archive_shards() -> ArchiveShards:
    """The same in shards."""
    return ArchiveShards(WorkbookParts())


def _stored(raw: bytes, rows: int) -> Block:
    """A block that holds `raw` uncompressed: a workbook is compressed already."""
    deflate = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflate.compress(raw) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Block(rows, Checksum.of(raw), data, Checksum.of(data))
