"""Value texts: the exact text of every value of a Polars frame without lists and structs.

Numbers are the shortest digits that read back as the same number, dates are ISO 8601, aware
timestamps carry the offset of the requested zone, bytes are base64. Every value has a text, and
it depends on that value alone, never on its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from waybill.exporter.values.late_zones import LATE, late_texts

#: ISO 8601, with 3, 6 or 9 digits of a second's fraction only where there is one.
_TIMESTAMP = "%Y-%m-%dT%H:%M:%S%.f"
_INSTANT = _TIMESTAMP + "%:z"

#: Until Liberia gave up 44½ minutes in January 1972, some zones had offsets with seconds,
#: which ISO 8601 cannot write.
_WHOLE_MINUTES_SINCE = datetime(1972, 2, 1, tzinfo=UTC)

_LATE_SINCE = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=LATE)

#: Polars cannot format years beyond 262,000 on either side, and ends the process's thread.
_LAST_DAY = round(262_000 * 365.2425)
#: Days in 400 years, after which the calendar repeats, weekdays and leap years included.
_CYCLE_DAYS = 146_097
#: Units of a day, and the count that databases use for infinity, by Polars' type or time unit.
#: Nanoseconds are missing: 64 bits of them end in the year 2262, and none means infinity.
_PER_DAY = {"date": 1, "ms": 86_400_000, "us": 86_400_000_000}
_INFINITY = {"date": 2**31 - 1, "ms": 2**63 - 1, "us": 2**63 - 1}

#: Findings that need a slower conversion.
_INFINITE, _OLD, _LATE, _FAR = "infinite", "old", "late", "far"


def value_texts(frame: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """The values of `frame` as strings, with nulls kept.

    Dates are of the Gregorian calendar, before it too, and years that do not have four digits
    carry a sign: ``-0044-03-15``, ``+10000-01-01``. The ends of a type's range, by which
    databases say so, are ``infinity`` and ``-infinity``.
    """
    rare = _rare_values(frame)
    return frame.select(
        _text(pl.col(key), kind, zone.key, rare[key]).alias(key)
        for key, kind in frame.schema.items()
    )


def _rare_values(frame: pl.DataFrame) -> defaultdict[str, set[str]]:
    """Why the quick conversion would get values of a column wrong, by the column."""
    scans: dict[tuple[str, str], pl.Expr] = {}
    for key, kind in frame.schema.items():
        value = pl.col(key)
        if kind.is_float():
            scans[key, _INFINITE] = value.is_infinite()
        if isinstance(kind, pl.Datetime) and kind.time_zone:
            scans[key, _OLD] = value < _WHOLE_MINUTES_SINCE
            scans[key, _LATE] = value >= _LATE_SINCE
        if (unit := _unit(kind)) in _PER_DAY:
            scans[key, _FAR] = ~_is_near(value, unit)
    rare: defaultdict[str, set[str]] = defaultdict(set)
    if scans:
        found = frame.select(scan.any().alias(str(n)) for n, scan in enumerate(scans.values()))
        for (key, what), is_there in zip(scans, found.row(0), strict=True):
            if is_there:
                rare[key].add(what)
    return rare


def _unit(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Datetime):
        return kind.time_unit
    return "date" if kind == pl.Date else ""


def _text(value: pl.Expr, kind: pl.DataType, zone: str, rare: set[str]) -> pl.Expr:
    if _FAR in rare:
        return _far_text(value, kind, zone)
    match kind:
        case pl.Datetime(time_zone=None):
            return value.dt.to_string(_TIMESTAMP)
        case pl.Datetime():
            return _zoned_text(value, zone, rare)
        case pl.Time():
            return value.dt.to_string("%H:%M:%S%.f")
        case pl.Date():
            return value.dt.to_string("%Y-%m-%d")
        case pl.Binary():
            return value.bin.encode("base64")
        case pl.String():
            # A cast to the same type would copy long texts twice.
            return value
    text = value.cast(pl.String)
    # "inf" and "-inf" are the only texts of a number that hold an "i".
    return text.str.replace("inf", "Infinity", literal=True) if _INFINITE in rare else text


def _zoned_text(value: pl.Expr, zone: str, rare: set[str]) -> pl.Expr:
    local = value.dt.convert_time_zone(zone)
    text = local.dt.to_string(_INSTANT)
    if _LATE in rare:
        text = pl.map_batches(
            [value.dt.cast_time_unit("us").to_physical(), text],
            lambda pair: late_texts(pair[0], pair[1], zone),
            return_dtype=pl.String,
        )
    if _OLD not in rare:
        return text
    offset = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_seconds()
    universal = value.dt.to_string(_INSTANT)
    return pl.when(offset % 60 == 0).then(text).otherwise(universal)


def _is_near(value: pl.Expr, unit: str) -> pl.Expr:
    last = _LAST_DAY * _PER_DAY[unit]
    return value.to_physical().cast(pl.Int64).is_between(-last, last)


def _far_text(value: pl.Expr, kind: pl.DataType, zone: str) -> pl.Expr:
    """The text of a column some of whose dates are beyond Polars' calendar.

    Those are moved by whole cycles of the calendar to where it is the same, but for the year:
    to the years 2370 to 2769, or before there were time zones to 1170 to 1569.
    """
    unit = _unit(kind)
    count = value.to_physical().cast(pl.Int64)
    cycle = _CYCLE_DAYS * _PER_DAY[unit]
    cycles = pl.when(count > 0).then(1).otherwise(-2)
    moved = count % cycle + cycles * cycle
    near = _is_near(value, unit)
    text = _text(pl.when(near).then(count).otherwise(moved).cast(kind), kind, zone, {_OLD, _LATE})
    # Not strict, for the years of those that were near enough may have other digits or a sign.
    year = text.str.head(4).cast(pl.Int64, strict=False) + 400 * (count // cycle - cycles)
    sign = pl.when(year > 0).then(pl.lit("+")).otherwise(pl.lit("-"))
    return (
        pl.when(count >= _INFINITY[unit])
        .then(pl.lit("infinity"))
        .when(count <= -_INFINITY[unit])
        .then(pl.lit("-infinity"))
        .when(~near)
        .then(pl.concat_str(sign, year.abs().cast(pl.String), text.str.slice(4)))
        .otherwise(text)
    )
