"""Time cells: dates, times and durations as Excel serial numbers, ISO text outside its calendar.

A serial number counts days since 1899-12-30; a time of day is a fraction. All are computed
from whole microseconds, so a cell holds the double nearest to the truth up to the year 2185,
and one of the two nearest after it.
Excel believes in 1900-02-29: every serial before 1900-03-01 shows another day there (C24).
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from waybill.exporter.formats.xlsx.cells import Cells, CellType, Warn, count, keep
from waybill.exporter.warning_rules import WarningRule

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_MICROSECONDS = {"s": _SECOND, "ms": 1_000, "us": 1}

#: Serial number of 1970-01-01.
_EPOCH_SERIAL = 25_569
#: Serial number of 10000-01-01, which Excel no longer shows.
_END_SERIAL = 2_958_466
#: 1900-03-01 and 10000-01-01 in microseconds since 1970.
_FIRST, _END = (61 - _EPOCH_SERIAL) * _DAY, (_END_SERIAL - _EPOCH_SERIAL) * _DAY

#: Polars' calendar ends 262,000 years from now, and 64 bits of microseconds in 292,000. A
#: database has such values only to say infinity.
_HORIZON = 260_000 * 365 * _DAY


def date_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Whole serial numbers."""
    days = pl.Series(array.cast(pa.date32()).cast(pa.int32())).cast(pl.Int64)
    limit = _HORIZON // _DAY
    serials = (days + _EPOCH_SERIAL).cast(pl.String)
    return _calendar_cells(serials, days.clip(-limit, limit) * _DAY, "%Y-%m-%d", warn)


def timestamp_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    """Naive timestamps as they are; aware ones as a clock in `zone` shows them."""
    local = _microseconds(array, warn)
    if array.type.tz is not None and zone.key != "UTC":
        instants = local.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone.key)
        local = instants.dt.replace_time_zone(None).cast(pl.Int64)
    return _calendar_cells(_serials(local, _EPOCH_SERIAL), local, "%Y-%m-%dT%H:%M:%S%.f", warn)


def time_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Fractions of a day."""
    return [Cells(CellType.NUMBER, _serials(_microseconds(array, warn), 0))]


def duration_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Days and fractions; text where negative or too long, for which Excel shows ``####``."""
    spans = _microseconds(array, warn)
    serials = _serials(spans, 0)
    if _within(spans, 0, _END_SERIAL * _DAY - 1):
        return [Cells(CellType.NUMBER, serials)]
    inside = spans.is_between(0, _END_SERIAL * _DAY, closed="left")
    warn(WarningRule.DURATION_AS_TEXT, count(~inside))
    texts = keep(_clock_texts(spans), ~inside)
    return [Cells(CellType.NUMBER, keep(serials, inside)), Cells(CellType.TEXT, texts)]


def has_fractions(array: pa.Array) -> bool:
    """Whether any time in `array` has a part below one second that needs to be shown."""
    rest = _microseconds(array, lambda rule, count: None) % _SECOND
    return bool((rest != 0).any())


def _microseconds(array: pa.Array, warn: Warn) -> pl.Series:
    """Whole microseconds, kept within the horizon so that no later step can overflow."""
    width = pa.int32() if pa.types.is_time32(array.type) else pa.int64()
    values = pl.Series(array.cast(width)).cast(pl.Int64)
    if array.type.unit == "ns":
        warn(WarningRule.NANOSECONDS_DROPPED, count(values % 1_000 != 0))
        return values // 1_000
    factor = _MICROSECONDS[array.type.unit]
    limit = _HORIZON // factor
    if not _within(values, -limit, limit):
        values = values.clip(-limit, limit)
    return values * factor if factor > 1 else values


def _within(values: pl.Series, low: int, high: int) -> bool:
    """Whether all values lie in this range. Much cheaper than a test of each value."""
    lowest, highest = values.min(), values.max()
    return lowest is None or (low <= lowest and highest <= high)  # type: ignore[operator]


def _serials(microseconds: pl.Series, epoch_serial: int) -> pl.Series:
    # Polars multiplies by the reciprocal of a constant, which is off by one bit at times.
    days = pc.divide((microseconds + epoch_serial * _DAY).cast(pl.Float64).to_arrow(), float(_DAY))
    return pl.Series(days).cast(pl.String)


def _calendar_cells(serials: pl.Series, local: pl.Series, text: str, warn: Warn) -> list[Cells]:
    """Serials inside Excel's calendar; outside it, `local` microseconds in the format `text`."""
    if _within(local, _FIRST, _END - 1):
        return [Cells(CellType.NUMBER, serials)]
    inside = local.is_between(_FIRST, _END, closed="left")
    warn(WarningRule.DATE_AS_TEXT, count(~inside))
    near = pl.lit(local.cast(pl.Datetime("us"))).dt.to_string(text)
    texts = pl.select(
        pl.when(pl.lit(local) >= _HORIZON - _DAY)
        .then(pl.lit("infinity"))
        .when(pl.lit(local) <= _DAY - _HORIZON)
        .then(pl.lit("-infinity"))
        .otherwise(near)
    ).to_series()
    return [
        Cells(CellType.NUMBER, keep(serials, inside)),
        Cells(CellType.TEXT, keep(texts, ~inside)),
    ]


def _clock_texts(spans: pl.Series) -> pl.Series:
    """``[-]h:mm:ss[.ffffff]``, as the number format shows the others."""
    size = pl.lit(spans.abs())
    seconds, fraction = size // _SECOND, size % _SECOND
    digits = fraction.cast(pl.String).str.zfill(6).str.strip_chars_end("0")
    return pl.select(
        pl.concat_str(
            pl.when(pl.lit(spans) < 0).then(pl.lit("-")).otherwise(pl.lit("")),
            seconds // 3_600,
            pl.lit(":"),
            (seconds // 60 % 60).cast(pl.String).str.zfill(2),
            pl.lit(":"),
            (seconds % 60).cast(pl.String).str.zfill(2),
            pl.when(fraction > 0).then(pl.concat_str(pl.lit("."), digits)).otherwise(pl.lit("")),
        )
    ).to_series()
