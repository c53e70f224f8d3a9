"""Clocks from the year 2100 on, against Python's own time zones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from waybill.exporter.values.late_zones import LATE, late_offsets
from waybill.exporter.values.value_texts import value_texts

ZONES = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instants_between(first: int, last: int) -> list[datetime]:
    dice = random.Random(first)  # noqa: S311
    days = (last - first) * 365
    start = datetime(first, 1, 1, tzinfo=UTC)
    return [
        start + timedelta(days=dice.randrange(days), minutes=dice.randrange(1_440))
        for _ in range(2_000)
    ]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("years", [(2038, 2099), (2100, 2500), (9500, 9998)])
def test_texts_have_the_offsets_of_python(zone: str, years: tuple[int, int]):
    instants = instants_between(*years)
    frame = pl.DataFrame({"0": pl.Series(instants, dtype=pl.Datetime("us", "UTC"))})
    wanted = [instant.astimezone(ZoneInfo(zone)).isoformat() for instant in instants]
    assert value_texts(frame, ZoneInfo(zone))["0"].to_list() == wanted


def test_an_hour_that_is_shown_twice_is_named():
    # Summer time ends at 01:00 UTC on the last Sunday of October.
    end = datetime(2101, 10, 30, 1, tzinfo=UTC)
    around = [end + timedelta(minutes=minutes) for minutes in (-61, -60, -1, 0, 59, 60)]
    counts = pl.Series([(instant - _EPOCH) // _MICROSECOND for instant in around])
    found = late_offsets(counts, "Europe/Berlin")
    assert found is not None
    assert found["twice"].to_list() == [False, True, True, True, True, False]
    assert [offset // 3_600_000_000 for offset in found["offset"]] == [2, 2, 2, 1, 1, 1]


def test_early_instants_and_nulls_have_no_late_offset():
    assert late_offsets(pl.Series([LATE - 1, None], dtype=pl.Int64), "Europe/Berlin") is None
    found = late_offsets(pl.Series([LATE - 1, LATE, None], dtype=pl.Int64), "Europe/Berlin")
    assert found is not None
    assert found["offset"].to_list() == [None, 3_600_000_000, None]
