"""Declared cells: string columns whose source says what they really hold.

The texts that are values of the declared kind become the cells such values have; each of the
others is an exception, and a text cell of its own (`waybill.exporter.values.declared_kinds`).
"""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from waybill.exporter.formats.xlsx.cells import Cells, Warn, keep
from waybill.exporter.formats.xlsx.number_cells import boolean_cells
from waybill.exporter.formats.xlsx.text_cells import text_cells
from waybill.exporter.formats.xlsx.time_cells import (
    TIMES,
    date_cells,
    duration_cells,
    time_cells,
    timestamp_cells,
)
from waybill.exporter.values.declared_kinds import DeclaredKind
from waybill.exporter.values.declared_values import is_declared
from waybill.exporter.warning_rules import WarningRule

#: Dates and times that a database has and a calendar of four-digit years has not: infinity, other
#: years, years before Christ, zero dates and parts of them, the end of the day.
_NO_CALENDAR = (
    r"(?i)^-?infinity$|^[+-]?[0-9]{5,}-|^-[0-9]|^0000-|^[0-9]{4}-(?:00|[0-9]{2}-00)|^24:|BC$"
)

_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
#: The parts of a clock, whose hours may go beyond a day.
_CLOCK = (
    r"^(?P<sign>-?)(?P<h>[0-9]{1,7}):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9])(?:\.(?P<f>[0-9]{1,6}))?$"
)
#: ISO 8601 with a sign to each part, and without months, whose length is not known.
_SPAN = (
    r"^P(?:(?P<d>-?[0-9]{1,7})D)?(?:T(?:(?P<h>-?[0-9]{1,9})H)?(?:(?P<m>-?[0-9]{1,9})M)?"
    r"(?:(?P<s>-?[0-9]{1,9})(?:\.(?P<f>[0-9]{1,6}))?S)?)?$"
)
#: As PostgreSQL prints an interval of days.
_DAYS = r"^(?P<d>[-+]?[0-9]{1,7}) days?(?: (?P<clock>[-+]?[0-9]{1,7}:.*))?$"
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND


def boolean_text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """TRUE and FALSE of ``true`` and ``false``."""
    texts = pl.Series(array)
    values = pl.select(
        pl.when(texts == "true").then(True).when(texts == "false").then(False)
    ).to_series()
    return [
        *boolean_cells(values.to_arrow(), warn),
        *_exceptions(texts, values.is_not_null(), warn),
    ]


def date_text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Dates of ``2024-07-01``."""
    texts = pl.Series(array)
    days = keep(texts, texts.str.contains("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
    values = days.str.to_date("%Y-%m-%d", strict=False)
    return [*date_cells(values.to_arrow(), warn), *_exceptions(texts, values.is_not_null(), warn)]


def timestamp_text_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    """Timestamps of ``2024-07-01T10:00:00``, with a fraction or a blank instead of the T."""
    texts = pl.Series(array)
    stamps = _with_t(texts)
    stamps = keep(stamps, stamps.str.contains(f"^{_STAMP}$"))
    values = stamps.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    return [
        *timestamp_cells(values.to_arrow(), warn, zone),
        *_exceptions(texts, values.is_not_null(), warn),
    ]


def instant_text_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    """The same with an offset, shown as a clock in `zone` shows them."""
    texts = pl.Series(array)
    stamps = _with_t(texts).str.replace("Z$", "+00:00").str.replace("([+-][0-9]{2})$", "${1}:00")
    stamps = keep(stamps, stamps.str.contains(f"^{_STAMP}[+-][0-9]{{2}}:[0-9]{{2}}$"))
    values = stamps.str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC", strict=False
    )
    return [
        *timestamp_cells(values.to_arrow(), warn, zone),
        *_exceptions(texts, values.is_not_null(), warn),
    ]


def time_text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Times of ``08:00:00``; text for ``24:00:00``, which is none, nor a duration.

    Beyond it, and below zero, is what MySQL's TIME holds too: durations.
    """
    texts = pl.Series(array)
    spans = _clock_spans(texts)
    of_day = spans.is_between(0, _DAY, closed="left")
    times = (keep(spans, of_day) * 1_000).cast(pl.Time)
    cells = time_cells(times.to_arrow(), warn)
    beyond = keep(spans, ~of_day & (spans != _DAY))
    if beyond.null_count() < len(beyond):
        cells += [
            replace(part, shown_as=part.shown_as + len(TIMES))
            for part in duration_cells(beyond.cast(pl.Duration("us")).to_arrow(), warn)
        ]
    return [*cells, *_exceptions(texts, times.is_not_null() | beyond.is_not_null(), warn)]


def interval_text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Durations of ``36:15:00``, ``1 day 12:00:00`` and ``P1DT12H``; with months, text as it is.

    A day counts as 24 hours. Negative ones are text, ``-01:30:00``.
    """
    texts = pl.Series(array)
    spans = _clock_spans(texts).fill_null(_iso_spans(texts)).fill_null(_day_spans(texts))
    rest = keep(texts, spans.is_null())
    of_kind = pl.select(is_declared(pl.lit(rest), DeclaredKind.INTERVAL)).to_series()
    warn(WarningRule.DURATION_AS_TEXT, of_kind)
    warn(WarningRule.TYPE_AS_TEXT, ~of_kind)
    durations = spans.cast(pl.Duration("us")).to_arrow()
    return [*duration_cells(durations, warn), *text_cells(rest.to_arrow(), warn)]


def _exceptions(texts: pl.Series, parsed: pl.Series, warn: Warn) -> list[Cells]:
    """Text cells of what could not be parsed."""
    odd = keep(texts, ~parsed)
    if odd.null_count() == len(odd):
        return []
    beyond = odd.str.contains(_NO_CALENDAR)
    warn(WarningRule.DATE_AS_TEXT, beyond)
    warn(WarningRule.TYPE_AS_TEXT, ~beyond)
    return text_cells(odd.to_arrow(), warn)


def _with_t(texts: pl.Series) -> pl.Series:
    return texts.str.replace("^([0-9]{4}-[0-9]{2}-[0-9]{2}) ", "${1}T")


def _clock_spans(texts: pl.Series) -> pl.Series:
    """Microseconds of clocks; null where a text is none."""
    parts = texts.str.extract_groups(_CLOCK).struct.unnest()
    size = _number(parts["h"]) * 3_600 + _number(parts["m"]) * 60 + _number(parts["s"])
    size = size * _SECOND + _fraction(parts["f"])
    signed = pl.select(pl.when(parts["sign"] == "-").then(-size).otherwise(size)).to_series()
    return keep(signed, parts["h"].is_not_null())


def _iso_spans(texts: pl.Series) -> pl.Series:
    """Microseconds of ISO durations without months; null for others, and for mixed signs."""
    parts = texts.str.extract_groups(_SPAN).struct.unnest()
    seconds = _number(parts["s"]) * _SECOND
    below = pl.select(pl.lit(parts["s"]).str.starts_with("-").fill_null(False)).to_series()
    fraction = _fraction(parts["f"])
    seconds += pl.select(pl.when(below).then(-fraction).otherwise(fraction)).to_series()
    amounts = [_number(parts["d"]) * _DAY]
    amounts += [_number(parts["h"]) * 3_600 * _SECOND, _number(parts["m"]) * 60 * _SECOND, seconds]
    frame = pl.DataFrame({str(n): amount for n, amount in enumerate(amounts)})
    lowest, highest = frame.min_horizontal(), frame.max_horizontal()
    is_there = texts.str.contains(_SPAN) & ((lowest >= 0) | (highest <= 0)) & (texts != "P")
    return keep(frame.sum_horizontal(), is_there)


def _day_spans(texts: pl.Series) -> pl.Series:
    """Microseconds of ``1 day 12:00:00``; null for others, and for mixed signs."""
    parts = texts.str.extract_groups(_DAYS).struct.unnest()
    days = parts["d"].str.strip_prefix("+").cast(pl.Int64) * _DAY
    clock = _clock_spans(parts["clock"].str.strip_prefix("+"))
    hours = pl.select(
        pl.when(pl.lit(parts["clock"]).is_null()).then(0).otherwise(pl.lit(clock))
    ).to_series()
    return keep(days + hours, days * hours.sign() >= 0)


def _number(digits: pl.Series) -> pl.Series:
    return digits.cast(pl.Int64).fill_null(0)


def _fraction(digits: pl.Series) -> pl.Series:
    """Microseconds of up to six digits of a second's fraction."""
    return _number(digits.str.pad_end(6, "0"))
