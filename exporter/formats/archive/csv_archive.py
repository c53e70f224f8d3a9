"""The ``csv.zip`` format: CSV files of bounded size in one zip archive, with a manifest."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.manifest import manifest_json
from waybill.exporter.formats.archive.part_archive import (
    ArchivePart,
    PartArchive,
    archive_encoder,
)
from waybill.exporter.formats.archive.shards import ArchiveShards
from waybill.exporter.formats.csv.csv_text import CsvText
from waybill.exporter.formats.csv.local_times import with_zone
from waybill.exporter.formats.csv.profiles import (
    CSV_PART_BYTES,
    CSV_PART_ROWS,
    EXCEL,
    CsvProfile,
)
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.formats.text_rows import Rendered, each_run


@dataclass(frozen=True, slots=True)
class CsvParts:
    """CSV files in `profile`, each with a header: the `ArchiveParts` of ``csv.zip``.

    A part ends before it passes `part_rows` or `part_bytes`; there is always a first one.
    """

    profile: CsvProfile = EXCEL
    part_rows: int = CSV_PART_ROWS
    part_bytes: int = CSV_PART_BYTES

    @property
    def extension(self) -> str:
        """Of each part."""
        return "csv"

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
        """See `ArchiveParts.write`."""
        text = CsvText(schema, layout, self.profile)
        header = text.header()
        if is_first:
            header.count_in(tally)
        head = header.compress()
        runs = each_run(
            text.rows,
            Rendered.compress,
            batches,
            len(text.columns),
            stop_every=self.part_rows,
            before=archive.rows,
        )
        if not archive.is_open:
            yield archive.open() + archive.add(head, header.raw)
        for rendered, block in runs:
            full = archive.rows and (
                archive.rows + block.rows > self.part_rows
                or archive.raw.size_bytes + block.raw.size_bytes > self.part_bytes
            )
            if full:
                yield archive.close() + archive.open() + archive.add(head, header.raw)
            rendered.count_in(tally)
            # No row depends on another one.
            archive.inside = {}
            yield archive.add(block, rendered.raw)

    def manifest(
        self, parts: Sequence[ArchivePart], schema: pa.Schema, layout: Layout, tally: Tally
    ) -> bytes:
        """See `ArchiveParts.manifest`."""
        resource = {
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "dialect": _dialect(self.profile),
        }
        return manifest_json(
            parts,
            resource,
            schema,
            with_zone(schema, layout) if self.profile.local_times else layout,
            tally,
            decimal_sign=self.profile.decimal_sign,
            csvProfile=self.profile.name,
        )


def csv_archive_encoder(
    profile: CsvProfile = EXCEL, *, part_rows: int = CSV_PART_ROWS, part_bytes: int = CSV_PART_BYTES
) -> Encode:
    """The encoder of archives of CSV files in `profile`; see `CsvParts`."""
    return archive_encoder(CsvParts(profile, part_rows, part_bytes))


def csv_archive_shards(profile: CsvProfile = EXCEL) -> ArchiveShards:
    """The same in shards."""
    return ArchiveShards(CsvParts(profile))


def _dialect(profile: CsvProfile) -> dict[str, object]:
    """How to read the parts, in the terms of Frictionless' Table Dialect."""
    return {
        "header": True,
        "delimiter": profile.delimiter,
        "lineTerminator": profile.line_end,
        "quoteChar": '"',
        "doubleQuote": True,
    }
