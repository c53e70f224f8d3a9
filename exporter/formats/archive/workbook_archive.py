"""The ``xlsx.zip`` format: workbooks of bounded length in one zip archive, with a manifest."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import replace

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.archive.manifest import manifest_json
from waybill.exporter.formats.archive.part_archive import PartArchive
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.formats.xlsx.limits import MAX_DATA_ROWS, WORKBOOK_PART_ROWS
from waybill.exporter.formats.xlsx.sheet_columns import header_row_of
from waybill.exporter.rows.batch_cuts import split_rows

_RESOURCE = {
    "format": "xlsx",
    "mediatype": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def workbook_archive_encoder(
    encode_workbook: Encode, *, part_rows: int = WORKBOOK_PART_ROWS
) -> Encode:
    """The encoder of archives of workbooks, each of at most `part_rows` rows.

    The workbooks are what `encode_workbook` makes of each run of rows, streamed: none of
    them is ever whole in memory.
    """

    def encode_workbook_archive(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        archive = PartArchive(layout.title, "xlsx")
        left = layout.rows_expected
        most = min(part_rows, MAX_DATA_ROWS - header_row_of(schema.names, layout))
        for run in split_rows(batches, most):
            yield archive.open()
            part = Tally(warnings=tally.warnings)
            before = tally.rows
            rows = None if left is None else min(left, most)
            left = None if rows is None or left is None else left - rows
            workbook = replace(layout, rows_expected=rows)
            with closing(encode_workbook(schema, run, workbook, part)) as chunks:
                for chunk in chunks:
                    block = _stored(chunk, part.rows - archive.rows)
                    tally.rows = before + part.rows
                    yield archive.add(block, chunk)
            if part.file != archive.raw:
                raise IncompleteExport("A workbook was changed on its way into the archive.")
            yield archive.close()
        yield archive.finish(manifest_json(archive.parts, _RESOURCE, schema, layout, tally))
        tally.file = archive.checksum

    return encode_workbook_archive


#: The encoder of the ``xlsx.zip`` format.
encode_xlsx_zip = workbook_archive_encoder(encode_xlsx)


def _stored(raw: bytes, rows: int) -> Block:
    """A block that holds `raw` uncompressed: a workbook is compressed already."""
    deflate = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflate.compress(raw) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Block(rows, Checksum.of(raw), data, Checksum.of(data))
