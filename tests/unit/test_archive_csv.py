"""Archives of CSV parts, as zipfile, unzip and DuckDB see them."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.benchmark_rows import make_batches
from tests.support.encoded import bytes_before_failure, encode_table
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.archive.csv_archive import csv_archive_encoder
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.profiles import EXCEL, MACHINE
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.rows.seals import sealed
from waybill.exporter.run import run_export
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore

SHOP = pa.Table.from_batches(make_batches(100_000))


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def manifest_of(archive: zipfile.ZipFile) -> dict:
    return json.loads(archive.read("manifest.json"))


@pytest.mark.slow
@pytest.mark.parametrize("profile", [EXCEL, MACHINE])
def test_parts_together_are_the_plain_file(profile):
    whole, whole_tally = encode_table(csv_encoder(profile), SHOP)
    data, tally = encode_table(csv_archive_encoder(profile, part_rows=40_000), SHOP)

    end = profile.line_end.encode()
    header, _, body = whole.partition(end)
    with opened(data) as archive:
        names = archive.namelist()
        assert names == [f"Export-0000{n}.csv" for n in (1, 2, 3)] + ["manifest.json"]
        parts = [archive.read(name).split(end, 1) for name in names[:-1]]
        rows = [part["rows"] for part in manifest_of(archive)["resources"]]
    assert {first for first, _ in parts} == {header}
    assert b"".join(rest for _, rest in parts) == body
    assert tally == whole_tally
    assert rows == [40_000, 40_000, 20_000]


@pytest.mark.slow
def test_unzip_finds_no_fault_and_duckdb_reads_all_parts(tmp_path):
    data, _ = encode_table(csv_archive_encoder(MACHINE, part_rows=30_000), SHOP)
    path = tmp_path / "shop.zip"
    path.write_bytes(data)

    subprocess.run(["unzip", "-tqq", path], check=True)
    subprocess.run(["unzip", "-qq", path, "-d", tmp_path], check=True)

    counted = duckdb.sql(f"SELECT count(*), sum(id) FROM read_csv('{tmp_path}/*.csv')")  # noqa: S608
    assert counted.fetchall() == [(100_000, 100_000 * 99_999 // 2)]


def test_the_manifest_comes_last_and_describes_every_byte():
    layout = Layout(
        title="Orders",
        timezone=ZoneInfo("Asia/Tokyo"),
        about=[("Asked by", "ada")],
        snapshot_at=datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
        columns={"amount": Column(label="Amount")},
    )
    table = SHOP.append_column("bad", pa.array(["=1"] * SHOP.num_rows))
    data, tally = encode_table(csv_archive_encoder(part_rows=60_000), table, layout)

    with opened(data) as archive:
        manifest = manifest_of(archive)
        assert archive.namelist()[-1] == "manifest.json"
        for part in manifest["resources"]:
            raw = archive.read(part["path"])
            assert part["bytes"] == len(raw)
            assert part["hash"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"
            assert part["rows"] == raw.count(b"\r\n") - 1
    assert manifest["rowCount"] == tally.rows == 100_000
    assert manifest["csvProfile"] == "excel"
    assert manifest["timezone"] == "Asia/Tokyo"
    assert manifest["snapshot"] == "2026-01-02T03:04:05+00:00"
    assert manifest["about"]["Asked by"] == "ada"
    assert manifest["warnings"] == [
        {"column": "bad", "rule": "formula_guarded", "count": 100_000},
    ]
    fields = manifest["resources"][0]["schema"]["fields"]
    assert [field["name"] for field in fields][:4] == ["id", "customer_id", "Amount", "rate"]
    assert [field["type"] for field in fields][:6] == [
        "integer",
        "integer",
        "number",
        "number",
        "boolean",
        "datetime",
    ]
    assert manifest["resources"][0]["dialect"]["lineTerminator"] == "\r\n"


def test_the_snapshot_of_an_export_is_in_its_manifest_without_an_about_sheet():
    store = MemoryStore()

    result = run_export(
        open_source("sqlite://"),
        sa.select(sa.literal(1).label("n")),
        csv_archive_encoder(),
        Layout(),
        lambda stream: store.open_upload("rows.zip", content_type="application/zip"),
    )

    with opened(store.read("rows.zip")) as archive:
        manifest = manifest_of(archive)
    assert manifest["snapshot"] == result.snapshot_at.isoformat(timespec="seconds")
    assert manifest["about"] == {}


def test_a_part_ends_before_it_is_too_many_bytes():
    data, _ = encode_table(csv_archive_encoder(part_bytes=7_000_000), SHOP)
    with opened(data) as archive:
        sizes = [part["bytes"] for part in manifest_of(archive)["resources"]]
        lines = sum(archive.read(n).count(b"\r\n") for n in archive.namelist()[:-1])
    assert len(sizes) > 1
    assert all(size <= 7_000_000 for size in sizes)
    assert lines == 100_000 + len(sizes)


def test_no_rows_make_one_part_with_a_header():
    data, tally = encode_table(csv_archive_encoder(), SHOP.slice(0, 0))
    with opened(data) as archive:
        assert archive.namelist() == ["Export-00001.csv", "manifest.json"]
        assert archive.read("Export-00001.csv").count(b"\r\n") == 1
        assert manifest_of(archive)["rowCount"] == tally.rows == 0


@pytest.mark.parametrize("rows", [49_999, 50_000, 50_001])
def test_a_part_is_opened_only_for_a_row(rows: int):
    data, _ = encode_table(csv_archive_encoder(part_rows=50_000), SHOP.slice(0, rows))
    with opened(data) as archive:
        found = [part["rows"] for part in manifest_of(archive)["resources"]]
    assert found == ([rows] if rows <= 50_000 else [50_000, 1])


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("../../etc/x", "etc x"),
        ("CON", "CON_"),
        ("a\nb", "a b"),
        ("导出", "导出"),
        ("", "export"),
    ],
)
def test_no_title_leads_out_of_the_directory(title: str, stem: str, tmp_path):
    data, _ = encode_table(csv_archive_encoder(), SHOP.slice(0, 1), Layout(title=title))
    with opened(data) as archive:
        name = archive.namelist()[0]
        archive.extractall(tmp_path)
    assert name == f"{stem}-00001.csv"
    assert (tmp_path / name).read_bytes()


@pytest.mark.slow
def test_bytes_do_not_depend_on_how_the_source_cuts_its_batches():
    encode = csv_archive_encoder(part_rows=45_000)
    files = {encode_table(encode, SHOP, batch_rows=rows)[0] for rows in (997, 16_384, 100_000)}
    assert len(files) == 1


def test_an_archive_whose_source_fails_has_no_manifest_and_no_directory():
    partial = bytes_before_failure(csv_archive_encoder(), SHOP)
    assert b"manifest.json" not in partial
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(partial))


def test_rows_of_a_part_are_counted_before_its_bytes_are_yielded():
    tally = Tally()
    encode = csv_archive_encoder(part_rows=40_000)
    chunks = encode(SHOP.schema, sealed(SHOP.to_batches()), Layout(), tally)
    counted = [tally.rows for _ in chunks]
    assert counted == sorted(counted)
    assert counted[0] == 0
    assert counted[-1] == 100_000


def test_types_are_named_in_the_words_of_frictionless():
    table = pa.table(
        {
            "day": pa.array([date(2026, 1, 1)]),
            "time": pa.array([1], pa.time64("us")),
            "span": pa.array([1], pa.duration("us")),
            "list": [[1]],
            "object": [{"a": 1}],
            "bytes": [b"x"],
            "text": ["x"],
        }
    )
    data, _ = encode_table(csv_archive_encoder(), table)
    with opened(data) as archive:
        fields = manifest_of(archive)["resources"][0]["schema"]["fields"]
    types = {field["name"]: field["type"] for field in fields}
    assert types == {
        "day": "date",
        "time": "time",
        "span": "duration",
        "list": "array",
        "object": "object",
        "bytes": "string",
        "text": "string",
    }


def test_a_table_without_columns_is_refused():
    with pytest.raises(LimitExceeded, match="without columns"):
        encode_table(csv_archive_encoder(), pa.table({}))
