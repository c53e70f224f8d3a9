"""C24–C28: dates outside Excel's calendar, infinity, zones, folds, and durations."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa

from tests.corpus.case import CellCase

_EARLY = [date(1, 1, 1), date(1899, 12, 31), date(1900, 1, 1), date(1900, 2, 28)]
_DATES = [date(1900, 3, 1), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31), None]
_STAMPS = [datetime(2026, 7, 1, 12, 30, 15), datetime(2026, 7, 1), datetime(1900, 3, 1), None]  # noqa: DTZ001
_FINE = [
    datetime(2026, 7, 1, 23, 59, 59, 999_000),  # noqa: DTZ001  naive is the case
    datetime(2026, 7, 1, 0, 0, 0, 1_000),  # noqa: DTZ001
    None,
]
#: Midsummer and midwinter; the fold of 2026-10-25, its hour seen twice; the gap of 2026-03-29.
_INSTANTS = [
    datetime(2026, 7, 1, 10, 0, tzinfo=UTC),
    datetime(2026, 1, 1, 23, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    None,
]
_IN_BERLIN = [
    datetime(2026, 7, 1, 12, 0),  # noqa: DTZ001  what the cell shows has no zone
    datetime(2026, 1, 2, 0, 30),  # noqa: DTZ001
    "2026-10-25T02:30:00+02:00",
    "2026-10-25T02:30:00+01:00",
    datetime(2026, 3, 29, 3, 0),  # noqa: DTZ001
    None,
]
_ENDS = [
    # SheetJS knows no time of day on that day.
    datetime(9999, 12, 31),  # noqa: DTZ001
    datetime(9999, 12, 31, 23, 59, 59, 999_500),  # noqa: DTZ001
    datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
]
#: Seconds since 1970.
_YEAR_10000 = 253_402_300_800


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day)  # noqa: DTZ001


TIME_CELLS: tuple[CellCase, ...] = (
    CellCase(
        "C24",
        "dates before 1 March 1900",
        pa.array(_EARLY, pa.date32()),
        xlsx=[day.isoformat() for day in _EARLY],
        csv=_EARLY,
        jsonl=_EARLY,
        xlsx_warnings={"date_as_text": 4},
    ),
    CellCase(
        "C24",
        "dates",
        pa.array(_DATES, pa.date32()),
        xlsx=[_midnight(day) for day in _DATES],
        csv=_DATES,
        jsonl=_DATES,
    ),
    CellCase(
        "C24",
        "timestamps before 1 March 1900",
        pa.array([datetime(1900, 2, 28, 23, 59, 59), datetime(1582, 10, 15)], pa.timestamp("us")),  # noqa: DTZ001
        xlsx=["1900-02-28T23:59:59", "1582-10-15T00:00:00"],
        csv=[datetime(1900, 2, 28, 23, 59, 59), datetime(1582, 10, 15)],  # noqa: DTZ001
        jsonl=[datetime(1900, 2, 28, 23, 59, 59), datetime(1582, 10, 15)],  # noqa: DTZ001
        xlsx_warnings={"date_as_text": 2},
    ),
    CellCase(
        "C25",
        "dates beyond four digits and infinity",
        pa.array([2_932_897, -719_529, 2**31 - 1, -(2**31), None], pa.int32()).cast(pa.date32()),
        *[["+10000-01-01", "-0001-12-31", "infinity", "-infinity", None]] * 3,
        xlsx_warnings={"date_as_text": 4},
    ),
    *(
        CellCase(
            "C25",
            f"timestamps beyond four digits and infinity in {unit}",
            pa.array(
                [_YEAR_10000 * many, -(2**63) + 1, 2**63 - 1, -(2**63), None], pa.int64()
            ).cast(pa.timestamp(unit)),
            *[["+10000-01-01T00:00:00", "-infinity", "infinity", "-infinity", None]] * 3,
            xlsx_warnings={"date_as_text": 4},
        )
        for unit, many in (("ms", 10**3), ("us", 10**6))
    ),
    *(
        CellCase(
            "C24", f"timestamps in {unit}", pa.array(_STAMPS, pa.timestamp(unit)), *[_STAMPS] * 3
        )
        for unit in ("s", "ms", "us", "ns")
    ),
    CellCase("C28", "milliseconds", pa.array(_FINE, pa.timestamp("us")), _FINE, _FINE, _FINE),
    *(
        CellCase(
            "C26",
            f"aware, stored in {zone}",
            pa.array(_INSTANTS, pa.timestamp("us", zone)),
            xlsx=_IN_BERLIN,
            csv=_INSTANTS,
            jsonl=_INSTANTS,
            xlsx_warnings={"ambiguous_time_as_text": 2},
        )
        for zone in ("UTC", "America/New_York", "+05:30")
    ),
    CellCase(
        "C28",
        "times of day",
        pa.array([time(0), time(12, 30), time(23, 59, 59), None], pa.time64("us")),
        xlsx=[time(0), time(12, 30), time(23, 59, 59), None],
        csv=[time(0), time(12, 30), time(23, 59, 59), None],
        jsonl=[time(0), time(12, 30), time(23, 59, 59), None],
    ),
    CellCase(
        "N04",
        "the end of time",
        pa.array(_ENDS, pa.timestamp("us")),
        xlsx=[_ENDS[0], "9999-12-31T23:59:59.999500", "9999-12-31T23:59:59.999999"],
        csv=_ENDS,
        jsonl=_ENDS,
        xlsx_warnings={"date_as_text": 2},
    ),
    CellCase(
        "N04",
        "the end of the day",
        pa.array([time(23, 59, 59), time(23, 59, 59, 999_999)], pa.time64("us")),
        xlsx=[time(23, 59, 59), "23:59:59.999999"],
        csv=[time(23, 59, 59), time(23, 59, 59, 999_999)],
        jsonl=[time(23, 59, 59), time(23, 59, 59, 999_999)],
        xlsx_warnings={"date_as_text": 1},
    ),
    CellCase(
        "C28",
        "durations",
        pa.array(
            [timedelta(hours=26, minutes=3, seconds=4), timedelta(0), timedelta(days=-1), None],
            pa.duration("us"),
        ),
        xlsx=[timedelta(hours=26, minutes=3, seconds=4), timedelta(0), "-24:00:00", None],
        csv=["PT26H3M4S", "PT0S", "PT-24H", None],
        jsonl=["PT26H3M4S", "PT0S", "PT-24H", None],
        xlsx_warnings={"duration_as_text": 1},
    ),
)
