"""Shards of archives whose parts may have few bytes, for tests that pass that limit."""

from __future__ import annotations

from waybill.exporter.formats.archive.csv_archive import CsvParts
from waybill.exporter.formats.archive.shards import ArchiveShards
from waybill.exporter.formats.csv.profiles import CsvProfile


def csv_shards(profile: CsvProfile) -> ArchiveShards:
    """Parts are rendered by tens of thousands of rows, of which one has more bytes than that."""
    return ArchiveShards(CsvParts(profile, part_rows=50_000, part_bytes=100_000))
