"""Arrow arrays as types that Polars and Parquet know, without loss: text where they know none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from exporter.iso_duration import duration_text, interval_text
from exporter.json_values import json_text

#: Polars' decimals have at most so many digits, and no negative scale.
_POLARS_DECIMAL_DIGITS = 38

#: Where the digits of a UUID are cut, and how many are in each group. (RFC 9562 §4.)
_UUID_GROUPS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))

_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

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
    """`array` as it is, unless Parquet has no such type: calendar intervals and unions."""
    if pa.types.is_run_end_encoded(array.type):
        return for_parquet(pc.run_end_decode(array), zone)
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


def _each(text: Callable[[Any, ZoneInfo], str]) -> _Convert:
    """A conversion that makes each value's text in Python: slow, for types seldom exported."""

    def convert(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
        texts = [
            None if value is None else text(value, zone)
            for value in array.to_pylist(maps_as_pydicts="strict")
        ]
        return pa.chunked_array([pa.array(texts, pa.large_string())])

    return convert


def _uuid_texts(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    digits = pl.Series(array.cast(pa.binary(16))).bin.encode("hex")
    groups = [digits.str.slice(start, length) for start, length in _UUID_GROUPS]
    return pa.chunked_array(
        [pl.select(pl.concat_str(groups, separator="-")).to_series().to_arrow()]
    )


def _duration_texts(array: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    factor = _NANOSECONDS[array.type.unit]
    return _each(lambda value, _: duration_text(value * factor))(array.cast(pa.int64()), zone)


def _is_elsewhere(kind: pa.DataType) -> bool:
    """Whether an instant is stored with a zone of its own, which may have no name."""
    return bool(pa.types.is_timestamp(kind) and kind.tz not in (None, "UTC"))


def _is_wide_decimal(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_decimal(kind) and (kind.precision > _POLARS_DECIMAL_DIGITS or kind.scale < 0)
    )


_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], _Convert], ...] = (
    (lambda kind: isinstance(kind, pa.UuidType), _uuid_texts),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _storage),
    (pa.types.is_dictionary, lambda array, _: pc.dictionary_decode(array)),
    (pa.types.is_run_end_encoded, lambda array, _: pc.run_end_decode(array)),
    (_is_elsewhere, lambda array, _: array.cast(pa.timestamp(array.type.unit, "UTC"))),
    (pa.types.is_date64, lambda array, _: array.cast(pa.date32())),
    (_is_wide_decimal, _each(lambda value, _: format(value, "f"))),
    (pa.types.is_duration, _duration_texts),
    (pa.types.is_interval, _each(lambda value, _: interval_text(value))),
    (pa.types.is_nested, _each(json_text)),
)

_NOT_IN_PARQUET = (pa.types.is_interval, pa.types.is_union, pa.types.is_run_end_encoded)
