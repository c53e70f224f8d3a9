"""Workbooks and archives whose sheets and parts have few rows, for tests of many shards."""

from __future__ import annotations

from waybill.exporter.formats.archive.csv_archive import CsvParts
from waybill.exporter.formats.archive.shards import ArchiveShards
from waybill.exporter.formats.archive.workbook_archive import WorkbookParts
from waybill.exporter.formats.csv.profiles import CsvProfile
from waybill.exporter.formats.xlsx.shards import XlsxShards

#: Rows; of `wide_exports` they are three parts of 5 to 8 MiB.
OF_A_SHARD = 30_000
#: The function of each format. An archive has two parts in a shard, a workbook one sheet.
SMALL = {"xlsx": "small_sheets", "csv.zip": "small_csv_parts", "xlsx.zip": "small_workbooks"}


def small_sheets() -> XlsxShards:
    return XlsxShards(OF_A_SHARD)


def small_csv_parts(profile: CsvProfile) -> ArchiveShards:
    return ArchiveShards(CsvParts(profile, part_rows=OF_A_SHARD // 2))


def small_workbooks() -> ArchiveShards:
    return ArchiveShards(WorkbookParts(part_rows=OF_A_SHARD // 2))
