from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from tests.support.benchmark_rows import make_batches
from tests.support.encoded import encode_table
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.profiles import MACHINE
from waybill.exporter.formats.registry import FORMATS, format_named

_OFFICE = "openxmlformats-officedocument"
SHOP = pa.Table.from_batches(make_batches(100))


def test_the_formats_are_those_of_the_contract_in_its_order():
    assert list(FORMATS) == ["xlsx", "csv", "csv.gz", "csv.zip", "xlsx.zip", "jsonl.gz", "parquet"]
    assert all(item.name == name == item.extension for name, item in FORMATS.items())


@pytest.mark.parametrize(
    ("name", "magic", "media_type"),
    [
        (
            "xlsx",
            b"PK\x03\x04",
            f"application/vnd.{_OFFICE}.spreadsheetml.sheet",
        ),
        ("csv", b"\xef\xbb\xbf", "text/csv; charset=utf-8"),
        ("csv.gz", b"\x1f\x8b", "application/gzip"),
        ("csv.zip", b"PK\x03\x04", "application/zip"),
        ("xlsx.zip", b"PK\x03\x04", "application/zip"),
        ("jsonl.gz", b"\x1f\x8b", "application/gzip"),
        ("parquet", b"PAR1", "application/vnd.apache.parquet"),
    ],
)
def test_every_format_writes_all_rows_in_a_file_of_its_kind(name, magic, media_type):
    item = format_named(name)
    data, tally = encode_table(item.encode, SHOP)
    assert data.startswith(magic)
    assert tally.rows == 100
    assert item.media_type == media_type


def test_every_format_writes_the_same_bytes_twice():
    for item in FORMATS.values():
        assert encode_table(item.encode, SHOP) == encode_table(item.encode, SHOP), item.name


def test_an_unknown_format_is_refused_with_the_names_of_all():
    with pytest.raises(InvalidRequest) as refused:
        format_named("xls")
    assert all(name in refused.value.message for name in FORMATS)


def test_the_csv_profile_reaches_the_text():
    data, _ = encode_table(format_named("csv", csv_profile=MACHINE).encode, SHOP)
    assert data.startswith(b'"id"')


def test_naming_formats_does_not_import_the_encoders():
    code = (
        "import sys; from waybill.exporter.formats.registry import FORMATS; "
        "sys.exit(bool({'polars', 'xlsxwriter', 'isal'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
