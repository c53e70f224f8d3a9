"""Serial numbers to the microsecond, and what lies outside Excel's calendar."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import from_excel, to_excel

from tests.support.workbooks import naive
from waybill.exporter.formats.xlsx.cells import Cells, CellType, count
from waybill.exporter.formats.xlsx.time_cells import (
    date_cells,
    duration_cells,
    time_cells,
    timestamp_cells,
)

UTC = ZoneInfo("UTC")
_EPOCH = naive(1899, 12, 30)
_STAMPS = st.datetimes(naive(1900, 3, 1), naive(9999, 12, 31, 23, 59, 59))


def _ignore(rule: str, count: int) -> None:
    """Warnings are not what these tests are about."""


def _only(cells: list[Cells], cell_type: CellType) -> list[str | None]:
    (found,) = [part.values.to_list() for part in cells if part.cell_type is cell_type]
    return found


def _serial(span: timedelta) -> float:
    return float(Fraction(span // timedelta(microseconds=1), 86_400_000_000))


@given(st.datetimes(naive(1900, 3, 1), naive(2185, 1, 1)))
def test_a_serial_is_the_double_nearest_to_the_timestamp(stamp: datetime) -> None:
    (text,) = _only(timestamp_cells(pa.array([stamp]), _ignore, UTC), CellType.NUMBER)
    assert float(text or "") == _serial(stamp - _EPOCH)


@given(_STAMPS)
def test_a_serial_is_one_of_the_nearest_doubles_for_all_of_excels_calendar(
    stamp: datetime,
) -> None:
    (text,) = _only(timestamp_cells(pa.array([stamp]), _ignore, UTC), CellType.NUMBER)
    nearest = _serial(stamp - _EPOCH)
    assert abs(float(text or "") - nearest) <= math.ulp(nearest)


@given(_STAMPS)
def test_openpyxl_reads_the_timestamp_back_to_its_millisecond(stamp: datetime) -> None:
    (text,) = _only(timestamp_cells(pa.array([stamp]), _ignore, UTC), CellType.NUMBER)
    assert abs(from_excel(float(text or "")) - stamp) <= timedelta(milliseconds=1)


@given(st.dates(date(1900, 3, 1), date(9999, 12, 31)))
def test_openpyxl_computes_the_same_days(day: date) -> None:
    assert _only(date_cells(pa.array([day]), _ignore), CellType.NUMBER) == [str(int(to_excel(day)))]


def test_the_last_microsecond_of_a_day_does_not_become_midnight() -> None:
    cells = time_cells(pa.array([86_399_999_499, 86_399_999_999], pa.time64("us")), _ignore)
    number, _ = _only(cells, CellType.NUMBER)
    assert 1 > float(number or "") > 1 - 502 / 86_400_000_000
    assert _only(cells, CellType.TEXT) == [None, "23:59:59.999999"]


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        # C25: year 10000, BC, and what databases use for infinity
        ("us", 253_402_300_800_000_000, "+10000-01-01T00:00:00"),
        ("us", -62_198_755_200_000_000, "-0001-01-01T00:00:00"),
        ("us", 2**63 - 1, "infinity"),
        ("us", -(2**63) + 1, "-infinity"),
        ("s", 2**63 - 1, "infinity"),
        ("ms", -(2**63) + 1, "-infinity"),
        ("ns", -(2**63) + 1, "1677-09-21T00:12:43.145224"),
    ],
)
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_what_is_outside_excels_calendar_is_text(
    unit: str, value: int, text: str, zone: str | None
) -> None:
    array = pa.array([value], pa.int64()).cast(pa.timestamp(unit, zone))
    if zone and "infinity" not in text:
        text += "+00:00"
    assert _only(timestamp_cells(array, _ignore, UTC), CellType.TEXT) == [text]
    assert _only(timestamp_cells(array, _ignore, UTC), CellType.NUMBER) == [None]


@pytest.mark.parametrize(
    ("zone", "end"),
    [
        ("Europe/Berlin", datetime(2024, 10, 27, 1, tzinfo=UTC)),
        ("Australia/Sydney", datetime(2024, 4, 6, 16, tzinfo=UTC)),
        # No zone says yet what will be then; Python goes on with the rule of today.
        ("Europe/Berlin", datetime(2101, 10, 30, 1, tzinfo=UTC)),
    ],
)
def test_f113_an_hour_that_clocks_show_twice_is_text_with_its_offset_and_counted(
    zone: str, end: datetime
) -> None:
    minutes = (-61, -60, -30, 30, 59, 60)
    instants = [end + timedelta(minutes=number) for number in minutes]
    counted: dict[str, int] = {}

    def note(rule: str, rows: pl.Series) -> None:
        counted[rule] = counted.get(rule, 0) + rows.sum()

    cells = timestamp_cells(
        pa.array(instants, pa.timestamp("us", "UTC")), note, local := ZoneInfo(zone)
    )

    shown = [instant.astimezone(local) for instant in instants]
    assert shown[2].replace(tzinfo=None) == shown[3].replace(tzinfo=None)
    twice = [None, *(moment.isoformat() for moment in shown[1:5]), None]
    assert _only(cells, CellType.TEXT) == twice
    numbers = _only(cells, CellType.NUMBER)
    assert [number is None for number in numbers] == [text is not None for text in twice]
    assert counted == {"ambiguous_time_as_text": 4}


def test_infinite_timestamps_can_be_asked_for_in_any_zone() -> None:
    array = pa.array([2**63 - 1, -(2**63) + 1], pa.int64()).cast(pa.timestamp("us", "UTC"))
    texts = _only(timestamp_cells(array, _ignore, ZoneInfo("Asia/Tokyo")), CellType.TEXT)
    assert texts == ["infinity", "-infinity"]


def test_dates_beyond_every_calendar_are_infinite_too() -> None:
    days = pa.array([2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32())
    assert _only(date_cells(days, _ignore), CellType.TEXT) == ["infinity", "-infinity"]


def test_nanoseconds_below_a_microsecond_are_counted_as_lost() -> None:
    found: dict[str, pl.Series] = {}
    array = pa.array([1_700_000_000_000_000_001, 1_700_000_000_000_001_000], pa.timestamp("ns"))
    timestamp_cells(array, found.__setitem__, UTC)
    assert {rule: count(values) for rule, values in found.items()} == {"nanoseconds_dropped": 1}


@given(st.timedeltas(-timedelta(days=5_000_000), timedelta(days=5_000_000)))
def test_durations_excel_cannot_show_look_the_same_as_text(span: timedelta) -> None:
    cells = duration_cells(pa.array([span], pa.duration("us")), _ignore)
    if timedelta(0) <= span < timedelta(days=2_958_466):
        (serial,) = _only(cells, CellType.NUMBER)
        assert abs(float(serial or "") - _serial(span)) <= math.ulp(_serial(span))
        return
    (text,) = _only(cells, CellType.TEXT)
    sign, digits = (-1, text[1:]) if text and text[0] == "-" else (1, text or "")
    hours, minutes, seconds = digits.split(":")
    whole, _, fraction = seconds.partition(".")
    total = (int(hours) * 60 + int(minutes)) * 60 + int(whole)
    assert sign * timedelta(seconds=total, microseconds=int(fraction.ljust(6, "0"))) == span
