"""Time cells: dates, times and durations as Excel serial numbers, ISO text outside its calendar.

A serial number counts days since 1899-12-30; a time of day is a fraction. All are computed
from whole microseconds, so a cell holds the double nearest to the truth up to the year 2185,
and one of the two nearest after it.
Excel believes in 1900-02-29: every serial before 1900-03-01 shows another day there (C24).

Excel shows milliseconds at most, and it and other readers round to them: from half of one
before the end of the calendar on, or of a day, a cell would show what is not there (N04).
"""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from waybill.exporter.formats.xlsx.cells import Cells, CellType, Warn, keep
from waybill.exporter.values.bounds import bounds
from waybill.exporter.values.late_zones import late_offsets
from waybill.exporter.values.repeated_hours import repeated
from waybill.exporter.values.value_texts import value_texts
from waybill.exporter.warning_rules import WarningRule

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_MICROSECONDS = {"s": _SECOND, "ms": 1_000, "us": 1}

#: Serial number of 1970-01-01.
_EPOCH_SERIAL = 25_569
#: Serial number of 10000-01-01, which Excel no longer shows.
_END_SERIAL = 2_958_466
#: Excel and other readers round to a millisecond.
_HALF_SHOWN = 500
#: 1900-03-01 and what rounds to 10000-01-01, in microseconds since 1970.
_FIRST, _END = (61 - _EPOCH_SERIAL) * _DAY, (_END_SERIAL - _EPOCH_SERIAL) * _DAY - _HALF_SHOWN
#: What rounds to the next day, and to longer than Excel's calendar.
_DAY_END, _SPAN_END = _DAY - _HALF_SHOWN, _END_SERIAL * _DAY - _HALF_SHOWN

#: Number formats for no digit of a second's fraction, for 1, 2 and 3: see `_places`.
_PLACES = ("", ".0", ".00", ".000")
TIMESTAMPS = tuple(f"yyyy-mm-dd hh:mm:ss{places}" for places in _PLACES)
TIMES = tuple(f"hh:mm:ss{places}" for places in _PLACES)
DURATIONS = tuple(f"[h]:mm:ss{places}" for places in _PLACES)

_ISO = "%Y-%m-%dT%H:%M:%S%.f"

#: Polars' calendar ends 262,000 years from now, and 64 bits of microseconds in 292,000. A
#: database has such values only to say infinity.
_HORIZON = 260_000 * 365 * _DAY


def date_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Whole serial numbers."""
    days = pl.Series(array.cast(pa.date32()).cast(pa.int32())).cast(pl.Int64)
    limit = _HORIZON // _DAY
    serials = (days + _EPOCH_SERIAL).cast(pl.String)
    midnights = days.clip(-limit, limit) * _DAY
    return _inside(
        Cells(CellType.NUMBER, serials), midnights, lambda: _iso(midnights, "%Y-%m-%d"), warn
    )


def timestamp_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    """Naive timestamps as they are; aware ones as a clock in `zone` shows them.

    Text with its offset in the hour that such a clock shows twice, and outside Excel's calendar.
    """
    local = _microseconds(array, warn)
    if array.type.tz is None:
        return _calendar_cells(local, lambda: _iso(local, _ISO), warn)
    instants = local.cast(pl.Datetime("us", "UTC"))

    def texts() -> pl.Series:
        return value_texts(pl.DataFrame({"0": instants}), zone)["0"]

    if zone.key == "UTC":
        return _calendar_cells(local, texts, warn)
    clock, twice = _local_clock(instants, zone.key), repeated(local, zone.key)
    if twice is None:
        return _calendar_cells(clock, texts, warn)
    warn(WarningRule.AMBIGUOUS_TIME_AS_TEXT, twice)
    return [
        *_calendar_cells(keep(clock, ~twice), texts, warn),
        Cells(CellType.TEXT, keep(texts(), twice)),
    ]


def _local_clock(instants: pl.Series, zone: str) -> pl.Series:
    """What a clock in `zone` shows, in microseconds since 1970."""
    universal = instants.cast(pl.Int64)
    local = instants.dt.convert_time_zone(zone).dt.replace_time_zone(None).cast(pl.Int64)
    late = late_offsets(universal, zone)
    return local if late is None else (universal + late["offset"]).fill_null(local)


def time_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Fractions of a day; text for those that readers would round to the next day."""
    clock = _microseconds(array, warn)
    cells = Cells(CellType.NUMBER, _serials(clock, 0), _places(clock))
    if _within(clock, 0, _DAY_END - 1):
        return [cells]
    late = clock >= _DAY_END
    warn(WarningRule.DATE_AS_TEXT, late)
    texts = keep(clock, late).cast(pl.Int64) * 1_000
    return [
        Cells(CellType.NUMBER, keep(cells.values, ~late), cells.shown_as),
        Cells(CellType.TEXT, texts.cast(pl.Time).dt.to_string("%H:%M:%S%.f")),
    ]


def duration_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Days and fractions; text where negative or too long, for which Excel shows ``####``."""
    spans = _microseconds(array, warn)
    cells = Cells(CellType.NUMBER, _serials(spans, 0), _places(spans))
    if _within(spans, 0, _SPAN_END - 1):
        return [cells]
    inside = spans.is_between(0, _SPAN_END, closed="left")
    warn(WarningRule.DURATION_AS_TEXT, ~inside)
    texts = keep(_clock_texts(spans), ~inside)
    return [
        Cells(CellType.NUMBER, keep(cells.values, inside), cells.shown_as),
        Cells(CellType.TEXT, texts),
    ]


def _places(microseconds: pl.Series) -> int | pl.Series:
    """How many digits of a second's fraction each has, but three of those it has more of."""
    rest = microseconds % _SECOND
    if not rest.max():
        return 0
    # A digit more for each step that is not whole: a third of the time that one query takes.
    digits = [(rest % step != 0).cast(pl.UInt32) for step in (_SECOND, 100_000, 10_000)]
    return digits[0] + digits[1] + digits[2]


def _microseconds(array: pa.Array, warn: Warn) -> pl.Series:
    """Whole microseconds, kept within the horizon so that no later step can overflow."""
    width = pa.int32() if pa.types.is_time32(array.type) else pa.int64()
    values = pl.Series(array.cast(width)).cast(pl.Int64)
    if array.type.unit == "ns":
        warn(WarningRule.NANOSECONDS_DROPPED, values % 1_000 != 0)
        return values // 1_000
    factor = _MICROSECONDS[array.type.unit]
    limit = _HORIZON // factor
    if not _within(values, -limit, limit):
        values = values.clip(-limit, limit)
    return values * factor if factor > 1 else values


def _within(values: pl.Series, low: int, high: int) -> bool:
    """Whether all values lie in this range. Much cheaper than a test of each value."""
    found = bounds(values)
    return found is None or (low <= found[0] and found[1] <= high)


def _serials(microseconds: pl.Series, epoch_serial: int) -> pl.Series:
    # Polars multiplies by the reciprocal of a constant, which is off by one bit at times.
    days = pc.divide((microseconds + epoch_serial * _DAY).cast(pl.Float64).to_arrow(), float(_DAY))
    return pl.Series(days).cast(pl.String)


def _iso(local: pl.Series, pattern: str) -> pl.Series:
    return local.cast(pl.Datetime("us")).dt.to_string(pattern)


def _calendar_cells(local: pl.Series, texts: Callable[[], pl.Series], warn: Warn) -> list[Cells]:
    """Serials of `local` microseconds inside Excel's calendar, `texts` outside it."""
    serials = Cells(CellType.NUMBER, _serials(local, _EPOCH_SERIAL), _places(local))
    return _inside(serials, local, texts, warn)


def _inside(
    serials: Cells, local: pl.Series, texts: Callable[[], pl.Series], warn: Warn
) -> list[Cells]:
    """`serials` where `local` microseconds are inside Excel's calendar; `texts` outside it."""
    if _within(local, _FIRST, _END - 1):
        return [serials]
    inside = local.is_between(_FIRST, _END, closed="left")
    warn(WarningRule.DATE_AS_TEXT, ~inside)
    outside = pl.select(
        pl.when(pl.lit(local) >= _HORIZON - _DAY)
        .then(pl.lit("infinity"))
        .when(pl.lit(local) <= _DAY - _HORIZON)
        .then(pl.lit("-infinity"))
        .otherwise(pl.lit(texts()))
    ).to_series()
    return [
        Cells(CellType.NUMBER, keep(serials.values, inside), serials.shown_as),
        Cells(CellType.TEXT, keep(outside, ~inside)),
    ]


def _clock_texts(spans: pl.Series) -> pl.Series:
    """``[-]hh:mm:ss[.ffffff]``, as the number format shows the others."""
    size = pl.lit(spans.abs())
    seconds, fraction = size // _SECOND, size % _SECOND
    digits = fraction.cast(pl.String).str.zfill(6).str.strip_chars_end("0")
    return pl.select(
        pl.concat_str(
            pl.when(pl.lit(spans) < 0).then(pl.lit("-")).otherwise(pl.lit("")),
            (seconds // 3_600).cast(pl.String).str.zfill(2),
            pl.lit(":"),
            (seconds // 60 % 60).cast(pl.String).str.zfill(2),
            pl.lit(":"),
            (seconds % 60).cast(pl.String).str.zfill(2),
            pl.when(fraction > 0).then(pl.concat_str(pl.lit("."), digits)).otherwise(pl.lit("")),
        )
    ).to_series()
