"""Arrow conversions: lossless, to types that Polars and Parquet know, or else to text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from waybill.exporter.values.iso_duration import duration_text, interval_text
from waybill.exporter.values.json_values import json_string, json_texts, without_runs
from waybill.exporter.values.value_texts import value_texts

#: Most digits of Polars' decimals, which also have no negative scale.
_POLARS_DECIMAL_DIGITS = 38

#: Where the digits of a UUID are cut, and how many are in each group. (RFC 9562 §4.)
_UUID_GROUPS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))

_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

#: What 64 bits hold. The largest number of a timestamp, and its negative, stand for infinity.
_MOST = 2**63 - 1

_Convert = Callable[[pa.ChunkedArray, ZoneInfo], pa.ChunkedArray]


def for_polars(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """`array` as numbers, decimals, booleans, dates, bytes, or the text of anything else.

    Lists, structs and maps become JSON; aware timestamps inside them are shown in `zone`.
    """
    for applies, convert in _CONVERSIONS:
        if applies(array.type):
            return for_polars(convert(array, zone), zone)
    return array


def for_parquet(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """`array` as it is, unless Parquet has no such type: seconds, calendar intervals, unions."""
    if pa.types.is_run_end_encoded(array.type):
        return for_parquet(without_runs(array), zone)
    if _counts_seconds(array.type):
        return _milliseconds(array, zone)
    return array if _fits_parquet(array.type) else for_polars(array, zone)


def _fits_parquet(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _fits_parquet(kind.storage_type)
    if pa.types.is_decimal(kind):
        return bool(kind.scale >= 0)
    if any(refuses(kind) for refuses in _NOT_IN_PARQUET):
        return False
    inner = [kind.field(index).type for index in range(kind.num_fields)]
    return all(map(_fits_parquet, inner)) and not (pa.types.is_struct(kind) and not inner)


def _storage(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    return array.cast(array.type.storage_type)


def _each(text: Callable[[Any], str]) -> _Convert:
    """A conversion that makes each value's text in Python: slow, for types seldom exported."""

    def convert(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
        texts = [None if value is None else text(value) for value in array.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.large_string())])

    return convert


def _nested_texts(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    def leaves(part: pa.Array) -> list[str | None]:
        flat = for_polars(pa.chunked_array([part]), zone)
        texts = value_texts(pl.DataFrame({"0": flat}), zone)["0"].to_list()
        if pa.types.is_floating(flat.type):
            return list(map(_json_float, texts))
        is_json = isinstance(part.type, pa.JsonType) or any(is_(part.type) for is_ in _IN_JSON)
        return [text if is_json or text is None else json_string(text) for text in texts]

    return pa.chunked_array(
        [pa.array(json_texts(chunk, leaves), pa.large_string()) for chunk in array.chunks],
        pa.large_string(),
    )


def _json_float(text: str | None) -> str | None:
    """A JSON number, unless there is none for it, with the digits it has in single precision."""
    if text is None:
        return None
    number = float(text)
    return repr(number) if math.isfinite(number) else json_string(text)


def _uuid_texts(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    digits = pl.Series(array.cast(pa.binary(16))).bin.encode("hex")
    groups = [digits.str.slice(start, length) for start, length in _UUID_GROUPS]
    return pa.chunked_array(
        [pl.select(pl.concat_str(groups, separator="-")).to_series().to_arrow()]
    )


def _duration_texts(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    factor = _NANOSECONDS[array.type.unit]
    return _each(lambda value: duration_text(value * factor))(array.cast(pa.int64()), zone)


def _milliseconds(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """Seconds as Polars and Parquet count them; those 292 million years off become infinite."""
    seconds = pl.Series(array.cast(pa.int64()))
    limit = _MOST // 1_000
    counts = pl.select(
        pl.when(seconds > limit)
        .then(_MOST)
        .when(seconds < -limit)
        .then(-_MOST)
        .otherwise(seconds * 1_000)
    )
    return pa.chunked_array([counts.to_series().to_arrow()]).cast(pa.timestamp("ms", array.type.tz))


def _is_elsewhere(kind: pa.DataType) -> bool:
    """Whether an instant is stored with a zone of its own, which may have no name."""
    return bool(pa.types.is_timestamp(kind) and kind.tz not in (None, "UTC"))


def _counts_seconds(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.unit == "s")


def _is_wide_decimal(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_decimal(kind) and (kind.precision > _POLARS_DECIMAL_DIGITS or kind.scale < 0)
    )


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], _Convert], ...] = (
    (lambda kind: isinstance(kind, pa.UuidType), _uuid_texts),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _storage),
    (pa.types.is_dictionary, lambda array, _: array.cast(array.type.value_type)),
    (pa.types.is_run_end_encoded, lambda array, _: without_runs(array)),
    (_is_elsewhere, lambda array, _: array.cast(pa.timestamp(array.type.unit, "UTC"))),
    (pa.types.is_date64, lambda array, _: array.cast(pa.date32())),
    (_counts_seconds, _milliseconds),
    (_is_wide_decimal, _each(lambda value: format(value, "f"))),
    (pa.types.is_duration, _duration_texts),
    (pa.types.is_interval, _each(interval_text)),
    (pa.types.is_nested, _nested_texts),
)

#: Types whose values JSON has a form for that loses nothing.
_IN_JSON = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)

_NOT_IN_PARQUET = (pa.types.is_interval, pa.types.is_union, pa.types.is_run_end_encoded)
