"""A watermark names the reader in each format that has a place for it, and moves no row."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tests.support.encoded import encode_table
from tests.support.workbooks import encode, read_openpyxl
from waybill.exporter.datasets.dataset import Dataset, dataset
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.watermark import Watermark
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.config.settings import load
from waybill.infra.exports.plan import plan_export

ANA = Principal("ana", "acme")
PATTERN = "For {user} of {tenant} only, {time}"
LINE = "For ana of acme only, 2026-03-01 13:30 Europe/Berlin"
TABLE = pa.table({"city": ["Rome", "Oslo"], "orders": [3, 4]})


def marked(pattern: str = PATTERN, user: Principal = ANA) -> Layout:
    return Layout(
        title="Orders",
        timezone=ZoneInfo("Europe/Berlin"),
        snapshot_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        watermark=Watermark.of(pattern, user),
    )


def sheets_of(data: bytes) -> list[Any]:
    return openpyxl.load_workbook(io.BytesIO(data)).worksheets


def printed(sheet: Any) -> list[str]:
    return [sheet.oddHeader.center.text, sheet.oddFooter.center.text]


def test_a_workbook_prints_it_on_each_page_and_its_rows_are_where_they_were() -> None:
    data, _ = encode(TABLE, marked())
    plain, _ = encode(TABLE, replace(marked(), watermark=None))

    [sheet] = sheets_of(data)
    assert printed(sheet) == [LINE, LINE]
    assert openpyxl.load_workbook(io.BytesIO(data)).properties.description == LINE
    assert read_openpyxl(data) == read_openpyxl(plain)
    assert encode(TABLE, marked())[0] == data


def test_each_sheet_has_it() -> None:
    data, _ = encode(TABLE, replace(marked(), sheet_by="city"))

    assert [printed(sheet) for sheet in sheets_of(data)] == [[LINE, LINE]] * 2


@pytest.mark.parametrize("user", ["R&D", "&Pana", "ana\nbob", "x" * 400])
def test_a_name_is_printed_as_text_and_never_as_a_command(user: str) -> None:
    data, _ = encode(TABLE, marked("{user}", Principal(user, "acme")))

    with zipfile.ZipFile(io.BytesIO(data)) as package:
        sheet = package.read("xl/worksheets/sheet1.xml").decode()
    said = sheet.partition("<oddHeader>&amp;C")[2].partition("</oddHeader>")[0]
    assert said.replace("&amp;&amp;", "&") == user.replace("\n", " ")[:120]


def test_the_hook_of_a_dataset_does_not_replace_it() -> None:
    def decorate(_workbook: Any, worksheets: Any) -> None:
        for sheet in worksheets:
            sheet.set_header("&CPublic")

    data, _ = encode(TABLE, replace(marked(), decorate=decorate))

    assert printed(sheets_of(data)[0]) == [LINE, LINE]


@pytest.mark.parametrize("rows_above", [0, 2])
def test_a_row_of_its_own_is_seen_above_the_headings(rows_above: int) -> None:
    def decorate(_workbook: Any, worksheets: Any) -> None:
        for sheet in worksheets:
            sheet.write_string(0, 0, "ACME" if rows_above else "Public")

    layout = replace(marked(), watermark_row=True, rows_above=rows_above, decorate=decorate)
    data, tally = encode(TABLE, layout)

    [sheet] = sheets_of(data)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    free = [["ACME", None], [None, None]][:rows_above]
    assert rows == [*free, [LINE, None], ["city", "orders"], ["Rome", 3], ["Oslo", 4]]
    # It stays on the screen, and on each sheet and page.
    assert sheet.freeze_panes == f"A{rows_above + 3}"
    assert printed(sheet) == [LINE, LINE]
    assert tally.rows == 2


def test_no_row_says_nothing() -> None:
    unmarked = replace(marked(), watermark=None, watermark_row=True)
    assert encode(TABLE, unmarked)[0] == encode(TABLE, replace(marked(), watermark=None))[0]
    with pytest.raises(ValueError, match="needs a watermark"):
        dataset("never", watermark_row=True)


@pytest.mark.parametrize("name", ["csv.zip", "xlsx.zip"])
def test_an_archive_says_it_in_its_manifest(name: str) -> None:
    data, _ = encode_table(FORMATS[name].encode, TABLE, marked())

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        [part] = [item["path"] for item in manifest["resources"]]
        content = archive.read(part)
    assert manifest["watermark"] == LINE
    if name == "xlsx.zip":
        assert printed(sheets_of(content)[0]) == [LINE, LINE]
    else:
        assert b"ana" not in content


def test_parquet_has_it_in_the_metadata_of_the_file() -> None:
    data, _ = encode_table(FORMATS["parquet"].encode, TABLE, marked())

    assert pq.read_metadata(io.BytesIO(data)).metadata[b"waybill.watermark"] == LINE.encode()


@pytest.mark.parametrize("name", ["csv", "csv.gz", "jsonl.gz"])
def test_formats_without_comments_are_as_without_a_watermark(name: str) -> None:
    data, _ = encode_table(FORMATS[name].encode, TABLE, marked())

    assert data == encode_table(FORMATS[name].encode, TABLE, replace(marked(), watermark=None))[0]


@pytest.mark.parametrize("pattern", ["{name} {user}", "{user!r}", "{user", "For you only"])
def test_a_pattern_that_names_nobody_or_cannot_be_filled_in_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        dataset("never", watermark=pattern)


def test_a_file_with_a_watermark_is_shared_with_nobody(tmp_path: Any) -> None:
    def rows(_params: Any, _user: Principal) -> sa.Select[Any]:
        return sa.select(sa.literal(1).label("n"))

    settings = load(home=tmp_path)

    def key_of(watermark: str) -> str | None:
        item = Dataset("orders", rows, watermark=watermark)
        return plan_export(settings, item, ANA, {}, "xlsx").single_flight_key

    assert key_of("") is not None
    assert key_of(PATTERN) is None
