"""The exact text of every value of a table, column by column, before any quoting.

Numbers are the shortest digits that read back as the same number, dates are ISO 8601,
aware timestamps carry the offset of the asked zone, bytes are base64. The text of a value
depends on that value alone, never on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from exporter.arrow_conversions import for_polars
from exporter.cell_columns import CellColumn
from exporter.errors import LimitExceeded

#: ISO 8601, with 3, 6 or 9 digits of a second's fraction only where there is one.
_TIMESTAMP = "%Y-%m-%dT%H:%M:%S%.f"
_INSTANT = _TIMESTAMP + "%:z"

#: Until Liberia gave up 44½ minutes in January 1972, some zones had offsets with seconds,
#: which ISO 8601 cannot write.
_WHOLE_MINUTES_SINCE = datetime(1972, 2, 1, tzinfo=UTC)

#: Polars cannot format years beyond this one on either side, and ends the process's thread.
_LAST_YEAR = 262_000
_LAST_DAY = round(_LAST_YEAR * 365.2425)
#: Units of a day, by type. Nanoseconds are missing: 64 bits of them end in the year 2262.
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000}


def cell_texts(table: pa.Table, columns: Sequence[CellColumn], zone: ZoneInfo) -> pl.DataFrame:
    """The values of `table` as strings, with nulls kept; columns are called by their keys.

    Raises:
        LimitExceeded: a date lies so far off that no calendar text exists for it.
    """
    arrays = [for_polars(array, zone) for array in table.columns]
    keys = [column.key for column in columns]
    frame = pl.DataFrame(pa.Table.from_arrays(arrays, names=keys))
    rare = _rare_values(frame)
    for column in columns:
        if rare.get(f"{column.key} beyond"):
            raise LimitExceeded(f"Column {column.name!r} holds a date beyond any calendar.")
    return frame.select(
        _text(pl.col(key), kind, zone.key, rare=rare.get(key, False)).alias(key)
        for key, kind in frame.schema.items()
    )


def _rare_values(frame: pl.DataFrame) -> dict[str, bool]:
    """Which columns hold values that the quick conversion would get wrong."""
    scans: list[pl.Expr] = []
    for key, kind in frame.schema.items():
        value = pl.col(key)
        if kind.is_float():
            scans.append(value.is_infinite().any().alias(key))
        elif isinstance(kind, pl.Datetime) and kind.time_zone:
            scans.append((value < _WHOLE_MINUTES_SINCE).any().alias(key))
        per_day = 1 if kind == pl.Date else _PER_DAY.get(getattr(kind, "time_unit", ""))
        if per_day:
            last = _LAST_DAY * per_day
            near = value.to_physical().cast(pl.Int64).is_between(-last, last)
            scans.append((~near).any().alias(f"{key} beyond"))
    return frame.select(scans).row(0, named=True) if scans else {}


def _text(value: pl.Expr, kind: pl.DataType, zone: str, *, rare: bool) -> pl.Expr:
    match kind:
        case pl.Datetime(time_zone=None):
            return value.dt.to_string(_TIMESTAMP)
        case pl.Datetime():
            return _zoned_text(value, zone, rare=rare)
        case pl.Time():
            return value.dt.to_string("%H:%M:%S%.f")
        case pl.Date():
            return value.dt.to_string("%Y-%m-%d")
        case pl.Binary():
            return value.bin.encode("base64")
    text = value.cast(pl.String)
    # "inf" and "-inf" are the only texts of a number that hold an "i".
    return text.str.replace("inf", "Infinity", literal=True) if rare else text


def _zoned_text(value: pl.Expr, zone: str, *, rare: bool) -> pl.Expr:
    local = value.dt.convert_time_zone(zone)
    text = local.dt.to_string(_INSTANT)
    if not rare:
        return text
    offset = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_seconds()
    universal = value.dt.to_string(_INSTANT)
    return pl.when(offset % 60 == 0).then(text).otherwise(universal)
