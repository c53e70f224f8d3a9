"""`times: local`: CSV timestamps that a spreadsheet takes for dates, in the zone of the heading."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.formats.csv.options import CsvOptions, options_of
from waybill.exporter.formats.csv.profiles import EXCEL, MACHINE
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.registry import format_named
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.exporter.warning_rules import WarningRule

LOCAL = CsvOptions(times="local").over(EXCEL)
BERLIN = Layout(timezone=ZoneInfo("Europe/Berlin"))
MOMENTS = [
    datetime(2024, 7, 1, 8, 0, 8, 682000, UTC),
    datetime(2024, 1, 1, 8, tzinfo=UTC),
    None,
    # Half past two, before and after the clocks are set back, and an hour later.
    datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
    datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    datetime(2024, 10, 27, 2, 30, tzinfo=UTC),
    datetime(1850, 1, 1, tzinfo=UTC),
]
SHOWN = [
    "2024-07-01 10:00:08.682",
    "2024-01-01 09:00:00",
    "",
    "2024-10-27T02:30:00+02:00",
    "2024-10-27T02:30:00+01:00",
    "2024-10-27 03:30:00",
]


def written(table: pa.Table, layout: Layout = BERLIN, name: str = "csv") -> tuple[bytes, Tally]:
    return encode_table(format_named(name, csv_profile=LOCAL).encode, table, layout)


def column(data: bytes) -> list[str]:
    return [row[0] for row in csv.reader(io.StringIO(data.decode("utf-8-sig")))]


def test_moments_are_on_the_clocks_of_the_zone_that_the_heading_names() -> None:
    table = pa.table({"at": pa.array(MOMENTS, pa.timestamp("us", "UTC")), "n": range(7)})
    data, tally = written(table)
    heading, *cells = column(data)
    assert heading == "at (Europe/Berlin)"
    assert cells[:6] == SHOWN
    assert cells[6].startswith("18")
    assert "T" in cells[6]
    assert tally.warnings == {("at", WarningRule.AMBIGUOUS_TIME_AS_TEXT): 2}
    assert tally.rows == 7


def test_the_same_moments_as_text_of_a_source_are_the_same() -> None:
    field = pa.field("at", pa.string(), metadata=declared_as(DeclaredKind.INSTANT))
    texts = [moment and moment.isoformat() for moment in MOMENTS[:3]] + ["infinity"]
    table = pa.table([pa.array(texts)], pa.schema([field])).append_column("n", [range(4)])
    data, tally = written(table)
    assert column(data) == ["at (Europe/Berlin)", *SHOWN[:3], "infinity"]
    assert tally.warnings == {("at", WarningRule.TYPE_AS_TEXT): 1}


@pytest.mark.parametrize(
    "odd", ["2024-10-27T25:30:00+02:00", "2024-10-27T02:30+02:00", "2024-02-31T10:00:00-05:00"]
)
def test_a_text_with_an_offset_that_is_no_moment_stays_as_it_is(odd: str) -> None:
    field = pa.field("at", pa.string(), metadata=declared_as(DeclaredKind.INSTANT))
    texts = [odd, *(moment and moment.isoformat() for moment in MOMENTS[:4]), "2024-07-01T10:00:00"]
    data, _ = written(pa.table([pa.array(texts)], pa.schema([field])))
    assert column(data)[1:] == [odd, *SHOWN[:4], "2024-07-01 10:00:00"]


def test_timestamps_without_a_zone_lose_their_letter_alone() -> None:
    no_zone = datetime(2024, 3, 31, 2, 30, 0, 5)  # noqa: DTZ001 - no zone is the case
    table = pa.table({"at": [no_zone], "n": [1]})
    assert column(written(table)[0]) == ["at", "2024-03-31 02:30:00.000005"]


def test_a_column_of_text_and_dates_stay_as_they_are() -> None:
    layout = Layout(timezone=ZoneInfo("Europe/Berlin"), columns={"at": Column(as_text=True)})
    table = pa.table({"at": pa.array(MOMENTS[:1], pa.timestamp("us", "UTC")), "n": [1]})
    assert column(written(table, layout)[0]) == ["at", "2024-07-01T10:00:08.682+02:00"]
    days = pa.table({"day": pa.array([1], pa.date32()), "n": [1]})
    assert column(written(days)[0]) == ["day", "1970-01-02"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"])
def test_no_two_moments_of_a_year_look_the_same(zone: str) -> None:
    start = datetime(2018, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=30 * n) for n in range(2 * 24 * 365)]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC")), "n": range(len(moments))})
    cells = column(written(table, Layout(timezone=ZoneInfo(zone)))[0])[1:]
    assert len(set(cells)) == len(moments)
    for moment, cell in zip(moments, cells, strict=True):
        clock = moment.astimezone(ZoneInfo(zone))
        assert cell in (f"{clock:%Y-%m-%d %H:%M:%S}", clock.isoformat())


def test_the_manifest_names_the_columns_as_the_file_does() -> None:
    table = pa.table({"at": pa.array(MOMENTS, pa.timestamp("us", "UTC"))})
    data, _ = written(table, name="csv.zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    [resource] = manifest["resources"]
    assert [one["name"] for one in resource["schema"]["fields"]] == ["at (Europe/Berlin)"]


def test_the_profiles_have_iso_8601_and_a_request_decides() -> None:
    assert options_of(LOCAL).times == "local"
    assert CsvOptions(times="iso").over(LOCAL) == EXCEL
    # Other tasks are as workers of an older version know them.
    assert [options_of(profile).times for profile in (EXCEL, MACHINE)] == [None, None]
    assert options_of(LOCAL).over(MACHINE) == LOCAL
