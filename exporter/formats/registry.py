"""The formats a file can have. Adding one is adding a function and an entry here.

Encoders are imported when they are first used, so that a process that only names formats,
such as the API, starts without Polars and XlsxWriter.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.profiles import EXCEL, CsvProfile
from waybill.exporter.formats.encoding import Encode, Tally


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file."""

    #: What requests and the command line call it.
    name: str
    #: What stands after the first dot of a file's name.
    extension: str
    #: The ``Content-Type`` of the file.
    media_type: str
    encode: Encode


def format_named(name: str, *, csv_profile: CsvProfile = EXCEL) -> Format:
    """The format called `name`; `csv_profile` matters to those made of CSV text.

    Raises:
        InvalidRequest: there is none; the message lists those there are.
    """
    try:
        return formats_with(csv_profile)[name]
    except KeyError:
        raise InvalidRequest(
            f"There is no format {name!r}. There are: {', '.join(FORMATS)}."
        ) from None


def formats_with(csv_profile: CsvProfile) -> Mapping[str, Format]:
    """All formats by name, CSV text being written in `csv_profile`."""
    formats = (
        Format(
            "xlsx",
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            _late(_xlsx),
        ),
        Format("csv", "csv", "text/csv; charset=utf-8", _late(lambda: _csv(csv_profile))),
        Format("csv.gz", "csv.gz", "application/gzip", _late(lambda: _csv_gzip(csv_profile))),
        Format("csv.zip", "csv.zip", "application/zip", _late(lambda: _csv_archive(csv_profile))),
        Format("xlsx.zip", "xlsx.zip", "application/zip", _late(_workbook_archive)),
        Format("jsonl.gz", "jsonl.gz", "application/gzip", _late(_json_lines)),
        Format("parquet", "parquet", "application/vnd.apache.parquet", _late(_parquet)),
    )
    return MappingProxyType({item.name: item for item in formats})


def _late(load: Callable[[], Encode]) -> Encode:
    """An encoder that is imported by its first use."""

    def encode(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        yield from load()(schema, batches, layout, tally)

    return encode


def _xlsx() -> Encode:
    from waybill.exporter.formats.xlsx.encode import encode_xlsx

    return encode_xlsx


def _csv(profile: CsvProfile) -> Encode:
    from waybill.exporter.formats.csv.files import csv_encoder

    return csv_encoder(profile)


def _csv_gzip(profile: CsvProfile) -> Encode:
    from waybill.exporter.formats.csv.files import csv_gzip_encoder

    return csv_gzip_encoder(profile)


def _csv_archive(profile: CsvProfile) -> Encode:
    from waybill.exporter.formats.archive.csv_archive import csv_archive_encoder

    return csv_archive_encoder(profile)


def _workbook_archive() -> Encode:
    from waybill.exporter.formats.archive.workbook_archive import workbook_archive_encoder

    return workbook_archive_encoder(_xlsx())


def _json_lines() -> Encode:
    from waybill.exporter.formats.jsonl import encode_jsonl_gzip

    return encode_jsonl_gzip


def _parquet() -> Encode:
    from waybill.exporter.formats.parquet import encode_parquet

    return encode_parquet


#: Every format by name, in the order people are shown them.
FORMATS = formats_with(EXCEL)
