"""File formats, each declared by one `Format` entry.

The API's list, the command line's help, file names, estimates and `file_shape` are derived from
these entries. To add a format, write its encoder, add an entry here, and add its name to each
language of the page (``format_NAME`` in `waybill.api.pages.texts`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.profiles import (
    CSV_PART_BYTES,
    CSV_PART_ROWS,
    EXCEL,
    CsvProfile,
)
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.parquet_profiles import COMPATIBLE, ParquetProfile
from waybill.exporter.formats.xlsx.limits import MAX_DATA_ROWS, WORKBOOK_PART_ROWS

if TYPE_CHECKING:
    # Code that only names formats should not load the compression library.
    from waybill.exporter.blocks.block import Block
    from waybill.exporter.formats.shard_end import ShardedEncoding


_ENCODERS = "waybill.exporter.formats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One file format."""

    #: What requests and the command line call it. Also the extension of its files.
    name: str
    #: The ``Content-Type`` of its files.
    media_type: str
    #: Where its `Encode` function is, as ``module:name``; with a profile, a function that
    #: returns one for it. A string, because a process that only names formats, such
    #: as the API, should load neither Polars nor XlsxWriter.
    encoder: str
    #: The same for its `ShardedEncoding`; None where a file is written by one process only.
    shards: str | None = None
    #: For a format whose files cannot be joined: several processes write a set of files.
    in_files: bool = False
    #: Where the function is that names the columns of its files, as a manifest has them.
    columns: str = f"{_ENCODERS}.archive.manifest:columns_as_text"
    #: For a format that is not compressed: what yields its file as blocks of deflate data, as
    #: `encoder` is given, with a profile.
    blocks: str | None = None
    #: How its CSV text is written; None where there is none.
    csv_profile: CsvProfile | None = None
    #: The same for Parquet.
    parquet_profile: ParquetProfile | None = None

    #: Size in bytes of a file without rows, for estimates.
    empty_bytes: int
    #: Mean size in bytes of one value, for estimates.
    bytes_per_cell: float

    #: Data rows of one sheet; None unless the format is a workbook, or an archive of workbooks.
    sheet_rows: int | None = None
    #: Rows that a spreadsheet shows of a file; None where that does not apply.
    visible_rows: int | None = None
    #: Rows and uncompressed bytes of one file in the archive; None where there is no such limit.
    part_rows: int | None = None
    part_bytes: int | None = None

    @property
    def extension(self) -> str:
        """What follows the first dot of a file name."""
        return self.name

    @property
    def is_workbook(self) -> bool:
        """Whether its files are workbooks, or archives of them."""
        return self.sheet_rows is not None

    @property
    def is_archive(self) -> bool:
        """Whether one export may become several files, in one archive."""
        return self.part_rows is not None or self.part_bytes is not None

    @property
    def label_key(self) -> str:
        """The key of its name in the page's texts."""
        return f"format_{self.name}"

    def encode(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        """The encoder, as `waybill.exporter.formats.encoding.Encode` describes it.

        It is imported when the first byte is asked for.
        """
        encoder = resolve_name(self.encoder)
        for profile in (self.csv_profile, self.parquet_profile):
            if profile is not None:
                encoder = encoder(profile)
        yield from encoder(schema, batches, layout, tally)

    def deflated(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Iterator[Block] | None:
        """The file as blocks of deflate data; None where it is compressed in itself.

        The file of `tally` is left to the caller.
        """
        if self.blocks is None:
            return None
        found: Iterator[Block] = resolve_name(self.blocks)(
            self.csv_profile, schema, batches, layout, tally
        )
        return found

    def columns_of(self, schema: pa.Schema, layout: Layout) -> list[dict[str, Any]]:
        """The columns of its files, with their types."""
        found: list[dict[str, Any]] = resolve_name(self.columns)(schema, layout)
        return found

    def file_set(self, dataset: str) -> ShardedEncoding | None:
        """How a set of files is written; None where one process writes one file."""
        if self.shards is None and not self.in_files:
            return None
        made: ShardedEncoding = resolve_name(f"{_ENCODERS}.file_set:FileSet")(self, dataset)
        return made

    def sharded(self) -> ShardedEncoding | None:
        """How one file is written in shards; None where it is written by one process only."""
        if self.shards is None:
            return None
        make = resolve_name(self.shards)
        encoding: ShardedEncoding = make(self.csv_profile) if self.csv_profile else make()
        return encoding


#: The sizes are geometric means over two tables: the sample's orders (100,000 rows of 11 columns)
#: and the rows of the benchmarks (100,000 of 10). (Measured.)
_ENTRIES = (
    Format(
        name="xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        encoder=f"{_ENCODERS}.xlsx.encode:encode_xlsx",
        shards=f"{_ENCODERS}.xlsx.shards:XlsxShards",
        empty_bytes=6_600,
        bytes_per_cell=8.6,
        sheet_rows=MAX_DATA_ROWS,
    ),
    Format(
        name="csv",
        media_type="text/csv; charset=utf-8",
        encoder=f"{_ENCODERS}.csv.files:csv_encoder",
        blocks=f"{_ENCODERS}.csv.files:csv_blocks",
        csv_profile=EXCEL,
        empty_bytes=100,
        bytes_per_cell=12.8,
        visible_rows=MAX_DATA_ROWS,
    ),
    Format(
        name="csv.gz",
        media_type="application/gzip",
        encoder=f"{_ENCODERS}.csv.files:csv_gzip_encoder",
        shards=f"{_ENCODERS}.csv.files:csv_gzip_shards",
        csv_profile=EXCEL,
        empty_bytes=110,
        bytes_per_cell=3.5,
    ),
    Format(
        name="csv.zip",
        media_type="application/zip",
        encoder=f"{_ENCODERS}.archive.csv_archive:csv_archive_encoder",
        shards=f"{_ENCODERS}.archive.csv_archive:csv_archive_shards",
        csv_profile=EXCEL,
        empty_bytes=900,
        bytes_per_cell=3.5,
        part_rows=CSV_PART_ROWS,
        part_bytes=CSV_PART_BYTES,
    ),
    Format(
        name="xlsx.zip",
        media_type="application/zip",
        encoder=f"{_ENCODERS}.archive.workbook_archive:encode_xlsx_zip",
        shards=f"{_ENCODERS}.archive.workbook_archive:workbook_archive_shards",
        empty_bytes=7_500,
        bytes_per_cell=8.6,
        sheet_rows=MAX_DATA_ROWS,
        part_rows=WORKBOOK_PART_ROWS,
    ),
    Format(
        name="jsonl.gz",
        media_type="application/gzip",
        encoder=f"{_ENCODERS}.jsonl:encode_jsonl_gzip",
        shards=f"{_ENCODERS}.jsonl:jsonl_gzip_shards",
        empty_bytes=20,
        bytes_per_cell=4.1,
    ),
    Format(
        name="parquet",
        media_type="application/vnd.apache.parquet",
        encoder=f"{_ENCODERS}.parquet:parquet_encoder",
        in_files=True,
        columns=f"{_ENCODERS}.parquet:parquet_columns",
        parquet_profile=COMPATIBLE,
        empty_bytes=1_200,
        bytes_per_cell=3.9,
    ),
)

#: Every format by name, in the order in which people see them.
FORMATS = {item.name: item for item in _ENTRIES}

#: The one that can hold several datasets, each on sheets of its own.
WORKBOOK_FORMAT = "xlsx"


def format_named(
    name: str,
    *,
    csv_profile: CsvProfile = EXCEL,
    parquet_profile: ParquetProfile = COMPATIBLE,
) -> Format:
    """The format called `name`; what it has of CSV or Parquet is written in these profiles.

    Raises:
        InvalidRequest: there is no such format; the message lists all of them.
    """
    try:
        found = FORMATS[name]
    except KeyError:
        raise InvalidRequest(
            f"There is no format {name!r}. There are: {', '.join(FORMATS)}."
        ) from None
    return replace(
        found,
        csv_profile=csv_profile if found.csv_profile else None,
        parquet_profile=parquet_profile if found.parquet_profile else None,
    )


def load_encoders() -> None:
    """Import the encoder of every format now, for a process that will need them in a hurry.

    Otherwise the first export imports its encoder, which takes a second of a busy processor.
    """
    for item in FORMATS.values():
        resolve_name(item.encoder)
