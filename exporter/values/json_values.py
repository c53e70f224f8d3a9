"""JSON values: lists, structs, maps and unions as exact JSON text.

Integers are JSON numbers of any length. Values without an exact form in JSON are strings, the
same text that the value has in a column of its own: decimals, dates, bytes, NaN and Infinity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

#: The values of an array that is not nested, as `json.dumps` takes them.
Leaves = Callable[[pa.Array], list[Any]]


def json_texts(array: pa.Array, leaves: Leaves) -> list[str | None]:
    """Each value of a nested array in compact JSON, None where it is null.

    Structs and maps are objects; one that has a key twice is a list of ``[key, value]`` pairs,
    since readers of an object would keep but one of them.
    """
    return [None if value is None else _dump(value) for value in _values(array, leaves)]


def float_text(value: float) -> str:
    """The one spelling of a float that is not a number: NaN, Infinity or -Infinity."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _values(array: pa.Array, leaves: Leaves) -> list[Any]:
    array = _unwrapped(array)
    for applies, values in _NESTED:
        if applies(array.type):
            return values(array, leaves)
    return leaves(array)


def _unwrapped(array: pa.Array) -> pa.Array:
    """`array` without what may stand between a nested type and the one inside."""
    if isinstance(array, pa.ExtensionArray) and pa.types.is_nested(array.type.storage_type):
        return _unwrapped(array.storage)
    if pa.types.is_dictionary(array.type):
        return _unwrapped(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return _unwrapped(pc.run_end_decode(array))
    return array


def _lists(array: pa.Array, leaves: Leaves) -> list[list[Any] | None]:
    items = iter(_values(array.flatten(), leaves))
    return [
        None if length is None else list(islice(items, length))
        for length in pc.list_value_length(array).to_pylist()
    ]


def _maps(array: pa.Array, leaves: Leaves) -> list[Any]:
    entries = array.cast(pa.list_(array.type.field(0)))
    keys, values = (iter(_values(part, leaves)) for part in entries.flatten().flatten())
    return [
        None if length is None else _object(islice(keys, length), islice(values, length))
        for length in pc.list_value_length(entries).to_pylist()
    ]


def _object(keys: Iterable[Any], values: Iterable[Any]) -> dict[str, Any] | list[list[Any]]:
    pairs = [list(pair) for pair in zip(keys, values, strict=True)]
    named = {key if isinstance(key, str) else _dump(key): value for key, value in pairs}
    return named if len(named) == len(pairs) else pairs


def _structs(array: pa.Array, leaves: Leaves) -> list[Any]:
    names = [field.name for field in array.type]
    columns = [_values(part, leaves) for part in array.flatten()]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(array))
    return [
        _object(names, row) if valid else None
        for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _unions(array: pa.Array, leaves: Leaves) -> list[Any]:
    members = [scalar.value for scalar in array]
    return [
        None if scalar is None else _values(pa.array([scalar], scalar.type), leaves)[0]
        for scalar in members
    ]


_NESTED: tuple[tuple[Callable[[pa.DataType], bool], Callable[..., list[Any]]], ...] = (
    (pa.types.is_struct, _structs),
    (pa.types.is_map, _maps),
    (pa.types.is_union, _unions),
    (pa.types.is_nested, _lists),
)
