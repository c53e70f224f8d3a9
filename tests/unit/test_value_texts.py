"""Dates too far off for Polars, as DuckDB computes them, and the infinities of databases."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from waybill.exporter.values.arrow_conversions import for_polars
from waybill.exporter.values.value_texts import value_texts

_DAY = 86_400_000_000
#: Polars' calendar ends within these days.
_LAST_DAY, _FIRST_DAY = 95_700_000, -95_700_000


def texts(values: list[int | None], kind: pa.DataType, zone: str = "UTC") -> list[str | None]:
    counts = pa.array(values, pa.int32() if kind == pa.date32() else pa.int64())
    plain = for_polars(pa.chunked_array([counts.cast(kind)]), ZoneInfo(zone))
    return value_texts(pl.DataFrame({"v": plain}), ZoneInfo(zone))["v"].to_list()


def days_of_duckdb(days: list[int]) -> list[str]:
    table = pa.table({"d": pa.array(days, pa.int32()).cast(pa.date32())})
    with duckdb.connect() as connection:
        connection.register("days", table)
        found = connection.sql("SELECT year(d), month(d), day(d) FROM days").fetchall()
    return [
        f"{year:+05d}-{month:02d}-{day:02d}"
        if not 0 <= year <= 9_999
        else f"{year:04d}-{month:02d}-{day:02d}"
        for year, month, day in found
    ]


@pytest.mark.slow
@given(st.lists(st.integers(-(2**31) + 2, 2**31 - 2), min_size=1, max_size=50))
@examples(40)
def test_duckdb_knows_every_day_by_the_same_name(days: list[int]):
    # In the company of a far one, so that the slow way has to write the near ones as well.
    assert texts([*days, _LAST_DAY], pa.date32()) == days_of_duckdb([*days, _LAST_DAY])


@pytest.mark.slow
@given(st.integers(-106_000_000, 106_000_000), st.integers(0, _DAY - 1))
@examples(60)
def test_a_far_timestamp_is_its_day_and_its_time(day: int, clock: int):
    [text, _] = texts([day * _DAY + clock, _LAST_DAY * _DAY], pa.timestamp("us"))
    [found_day, found_time] = text.split("T")
    assert [found_day] == days_of_duckdb([day])
    midnight = datetime(1970, 1, 1, tzinfo=UTC)
    assert time.fromisoformat(found_time) == (midnight + timedelta(microseconds=clock)).time()


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_ends_of_a_type_are_infinity_beside_any_neighbour(unit: str, zone: str | None):
    values = [2**63 - 1, -(2**63) + 1, -(2**63), None, 0]
    epoch = texts([0], pa.timestamp(unit, zone), "Europe/Berlin")
    found = texts(values, pa.timestamp(unit, zone), "Europe/Berlin")
    assert found == ["infinity", "-infinity", "-infinity", None, *epoch]


def test_days_have_infinities_too():
    assert texts([2**31 - 1, -(2**31), None], pa.date32()) == ["infinity", "-infinity", None]


def test_nanoseconds_end_too_early_to_be_infinite():
    assert texts([2**63 - 1, -(2**63)], pa.timestamp("ns")) == [
        "2262-04-11T23:47:16.854775807",
        "1677-09-21T00:12:43.145224192",
    ]


def test_seconds_that_milliseconds_cannot_count_are_not_wrapped_around():
    year = 31_556_952
    found = texts([292_000_000 * year, 293_000_000 * year, -293_000_000 * year], pa.timestamp("s"))
    assert found[0].startswith("+292001970-")
    assert found[1:] == ["infinity", "-infinity"]


def test_a_far_instant_has_the_offset_of_its_zone():
    instants = pa.timestamp("us", "UTC")
    [far, early, now] = texts([_LAST_DAY * _DAY, _FIRST_DAY * _DAY, 0], instants, "Asia/Tokyo")
    assert (far, now) == ("+263987-09-14T09:00:00+09:00", "1970-01-01T09:00:00+09:00")
    # Before there were time zones offsets had seconds, which ISO 8601 lacks.
    assert early == "-260048-04-20T00:00:00+00:00"


def test_what_lies_hidden_under_a_null_is_not_looked_at():
    counts = pa.array([2**62, -6 * 10**16, 0], pa.int64())
    hidden = pa.Array.from_buffers(
        pa.timestamp("us", "UTC"), 3, [pa.py_buffer(b"\x06"), counts.buffers()[1]]
    )
    found = value_texts(pl.DataFrame({"v": hidden}), ZoneInfo("Europe/Berlin"))["v"].to_list()
    assert found[0] is None
    assert datetime.fromisoformat(found[1]) == datetime(68, 9, 3, 13, 20, tzinfo=UTC)
