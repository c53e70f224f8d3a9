"""Repeated hours: the instants whose local time a zone's clocks show twice, as summer time ends.

A cell of a spreadsheet has no offset, so two instants of such an hour would look the same there
(FC20).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache, reduce
from operator import or_

import polars as pl

from waybill.exporter.values.bounds import bounds
from waybill.exporter.values.late_zones import late_offsets

#: From here on every zone changes its clocks at a quarter of an hour, and Polars knows the rules
#: up to the end. (A test checks that against `zoneinfo`.)
_FIRST_YEAR, _LAST_YEAR = 1973, 2037
_QUARTER = 900_000_000


def repeated(instants: pl.Series, zone: str) -> pl.Series | None:
    """Which of `instants`, in microseconds since 1970, fall into such an hour; None for none."""
    span = bounds(instants)
    if span is None:
        return None
    low, high = span
    if low < _new_year(_FIRST_YEAR) or high >= _new_year(_LAST_YEAR + 1):
        found = _among(instants, zone)
    else:
        hours = [
            instants.is_between(start, end, closed="left")
            for year in range(_year(low), _year(high) + 1)
            for start, end in _hours(zone, year)
            if start <= high and low < end
        ]
        if not hours:
            return None
        found = reduce(or_, hours)
    return found if found.any() else None


@lru_cache(maxsize=1_024)
def _hours(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Where such hours begin and end in a year."""
    quarters = pl.int_range(_new_year(year), _new_year(year + 1), _QUARTER, eager=True)
    starts = quarters.filter(_among(quarters, zone)).to_list()
    hours: list[tuple[int, int]] = []
    for start in starts:
        first = hours.pop()[0] if hours and hours[-1][1] == start else start
        hours.append((first, start + _QUARTER))
    return tuple(hours)


def _among(instants: pl.Series, zone: str) -> pl.Series:
    local = instants.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    clock = local.dt.replace_time_zone(None)
    once = clock.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    twice = once.is_null() & instants.is_not_null()
    late = late_offsets(instants, zone)
    return twice if late is None else late["twice"].fill_null(twice)


def _new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def _year(instant: int) -> int:
    return datetime.fromtimestamp(instant / 1_000_000, UTC).year
