"""The ``csv.zip`` format: CSV files of bounded size in one zip archive, with a manifest."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.manifest import manifest_json
from waybill.exporter.formats.archive.part_archive import PartArchive
from waybill.exporter.formats.csv.csv_text import CsvText
from waybill.exporter.formats.csv.profiles import (
    CSV_PART_BYTES,
    CSV_PART_ROWS,
    EXCEL,
    CsvProfile,
)
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.formats.text_rows import Rendered, each_run


def csv_archive_encoder(
    profile: CsvProfile = EXCEL, *, part_rows: int = CSV_PART_ROWS, part_bytes: int = CSV_PART_BYTES
) -> Encode:
    """The encoder of archives of CSV files in `profile`, each with a header.

    A part ends before it passes `part_rows` or `part_bytes`; there is always a first one.
    """

    def encode_csv_archive(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        text = CsvText(schema, layout, profile)
        archive = PartArchive(layout.title, "csv")
        header = text.header()
        header.count_in(tally)
        head = header.compress()
        runs = each_run(
            text.rows, Rendered.compress, batches, len(text.columns), stop_every=part_rows
        )
        yield archive.open() + archive.add(head, header.raw)
        for rendered, block in runs:
            full = archive.rows and (
                archive.rows + block.rows > part_rows
                or archive.raw.size_bytes + block.raw.size_bytes > part_bytes
            )
            if full:
                yield archive.close() + archive.open() + archive.add(head, header.raw)
            rendered.count_in(tally)
            yield archive.add(block, rendered.raw)
        yield archive.close()
        resource = {
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "dialect": _dialect(profile),
        }
        yield archive.finish(
            manifest_json(
                archive.parts,
                resource,
                schema,
                layout,
                tally,
                decimal_sign=profile.decimal_sign,
                csvProfile=profile.name,
            )
        )
        tally.file = archive.checksum

    return encode_csv_archive


def _dialect(profile: CsvProfile) -> dict[str, object]:
    """How to read the parts, in the terms of Frictionless' Table Dialect."""
    return {
        "header": True,
        "delimiter": profile.delimiter,
        "lineTerminator": profile.line_end,
        "quoteChar": '"',
        "doubleQuote": True,
    }
