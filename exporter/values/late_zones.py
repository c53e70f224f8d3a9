"""Late zones: clocks from the year 2100 on, where Polars' table of summer times ends.

Polars shows winter time from there on. Databases and Python go on by the last rule of a zone,
which the years of the Gregorian calendar repeat every 400 years.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import polars as pl

_DAY = 86_400_000_000
#: 2100-01-01 in microseconds since 1970. (A test checks that Polars knows the rules up to there.)
LATE = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
#: Days in 400 years, after which the calendar repeats, weekdays and leap years included.
_CYCLE = 146_097 * _DAY
#: Every zone changes its clocks at a quarter of an hour.
_QUARTER = 900_000_000

_OFFSET = pl.Struct({"offset": pl.Int64, "twice": pl.Boolean})


def late_offsets(instants: pl.Series, zone: str) -> pl.DataFrame | None:
    """For each of `instants`, in microseconds since 1970: what `zone` adds to it from 2100 on.

    ``offset`` is null before 2100; ``twice`` says whether the clock shows this time twice, as
    summer time ends. None if all are before 2100.
    """
    if not (instants >= LATE).any():
        return None
    late = instants.set(instants < LATE, None)
    quarters = (LATE + (late - LATE) % _CYCLE) // _QUARTER
    known = quarters.unique().drop_nulls()
    found = known.map_elements(partial(_offset, ZoneInfo(zone)), return_dtype=_OFFSET)
    return quarters.replace_strict(known, found, default=None, return_dtype=_OFFSET).struct.unnest()


def late_texts(instants: pl.Series, texts: pl.Series, zone: str) -> pl.Series:
    """`texts` of `instants`, in microseconds since 1970, as `zone` shows those from 2100 on."""
    offsets = late_offsets(instants, zone)
    if offsets is None:
        return texts
    local = (instants + offsets["offset"]).cast(pl.Datetime("us"))
    minutes = offsets["offset"] // 60_000_000
    size = pl.lit(minutes.abs())
    late = pl.concat_str(
        pl.lit(local).dt.to_string("%Y-%m-%dT%H:%M:%S%.f"),
        pl.when(pl.lit(minutes) < 0).then(pl.lit("-")).otherwise(pl.lit("+")),
        (size // 60).cast(pl.String).str.zfill(2),
        pl.lit(":"),
        (size % 60).cast(pl.String).str.zfill(2),
    )
    return pl.select(pl.coalesce(late, pl.lit(texts))).to_series()


def _offset(zone: ZoneInfo, quarter: int) -> dict[str, object]:
    local = (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=quarter * _QUARTER)
    ).astimezone(zone)
    offset = local.utcoffset() or timedelta(0)
    return {
        "offset": offset // timedelta(microseconds=1),
        "twice": local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset(),
    }
