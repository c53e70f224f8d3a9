"""Local times: timestamps as spreadsheets read them, on the clocks of the zone in the heading.

A spreadsheet takes ``2024-07-01T10:00:00+02:00`` for text, and ``2024-07-01 10:00:00`` for a date.
"""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.values.cell_columns import is_instant, value_type
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_kind
from waybill.exporter.values.repeated_hours import repeated

#: Before it, some zones had offsets with seconds, and the text is that of UTC.
_WHOLE_MINUTES_SINCE = "1972-02-01"
#: The years that spreadsheets have.
_FIRST, _LAST = "1900-03-01", "9999-12-31"
_DAY_CHARS = len("2024-07-01")
_OFFSET = r"[+-]\d\d:\d\d$"
_INSTANT = "%Y-%m-%dT%H:%M:%S%.f%:z"


def is_timestamp(field: pa.Field) -> bool:
    """Whether the values of `field` are days with a time, with a zone or without."""
    plain = pa.types.is_timestamp(value_type(field.type))
    return plain or declared_kind(field) in (DeclaredKind.TIMESTAMP, DeclaredKind.INSTANT)


def with_zone(schema: pa.Schema, layout: Layout) -> Layout:
    """`layout` with the zone in the heading of each column of moments, as workbooks have it."""
    named = {
        field.name: replace(layout.column(field.name), label=layout.zoned_label(field.name))
        for field in schema
        if is_instant(field) and not layout.column(field.name).as_text
    }
    return replace(layout, columns={**layout.columns, **named})


def local_times(texts: pl.Series, zone: ZoneInfo) -> tuple[pl.Series, int]:
    """ISO 8601 `texts` as spreadsheets read them, and how many of them keep their offset.

    That are those in the hour that the clocks of `zone` show twice: without it, two moments would
    look the same. What no spreadsheet has as a date stays as it is, and so does a text with an
    offset that is no moment.
    """
    day, clock = texts.str.head(_DAY_CHARS), texts.str.slice(_DAY_CHARS + 1)
    fits = (texts.str.slice(_DAY_CHARS, 1) == "T") & day.is_between(pl.lit(_FIRST), pl.lit(_LAST))
    if zone.key != "UTC":
        fits &= ~((day < _WHOLE_MINUTES_SINCE) & texts.str.ends_with("+00:00"))
    with_offset = texts.str.contains(_OFFSET)
    twice = None
    if with_offset.any():
        instants = texts.str.to_datetime(_INSTANT, time_unit="us", time_zone="UTC", strict=False)
        fits &= instants.is_not_null() | ~with_offset
        clock = clock.str.replace(_OFFSET, "")
        twice = repeated(instants.to_physical(), zone.key)
    alone = fits if twice is None else fits & ~twice.fill_null(value=False)
    shown = pl.select(
        pl.when(alone).then(pl.concat_str(day, pl.lit(" "), clock)).otherwise(texts)
    ).to_series()
    return shown, int((fits & ~alone).sum())
