"""Values inside lists and structs as JSON text, exact before convenient.

Integers are JSON numbers of any length. Whatever JSON has no exact form for is a string:
decimals, dates (ISO 8601), bytes (base64), and NaN or Infinity.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from uuid import UUID

import pyarrow as pa

from exporter.iso_duration import duration_text, interval_text


def json_text(value: object, zone: tzinfo) -> str:
    """`value`, as PyArrow converts it, in compact JSON with aware timestamps in `zone`."""
    return json.dumps(_plain(value, zone), ensure_ascii=False, separators=(",", ":"))


def float_text(value: float) -> str:
    """The one spelling of a float that is not a number: NaN, Infinity or -Infinity."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _plain(value: object, zone: tzinfo) -> object:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else float_text(value)
    if isinstance(value, dict):
        return {str(_plain(key, zone)): _plain(item, zone) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, zone) for item in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(zone).isoformat()
    for kind, text in _TEXTS.items():
        if isinstance(value, kind):
            return text(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


_TEXTS: dict[type, Callable[..., str]] = {
    pa.MonthDayNano: interval_text,
    Decimal: lambda value: format(value, "f"),
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: lambda value: duration_text(value // timedelta(microseconds=1) * 1000),
    bytes: lambda value: base64.b64encode(value).decode(),
    UUID: str,
}
