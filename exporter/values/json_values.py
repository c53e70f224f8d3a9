"""JSON values: lists, structs, maps and unions as exact JSON text.

Numbers are JSON numbers with all their digits. Values without a form in JSON are strings, the
same text that the value has in a column of its own: dates, bytes, NaN and Infinity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

import pyarrow as pa

#: JSON text of each value; None where it is null.
Texts = list[str | None]
#: An array that has a value once for all the rows in a run that have it.
Runs = TypeVar("Runs", pa.Array, pa.ChunkedArray)
#: The values of an array that is not nested.
Leaves = Callable[[pa.Array], Texts]


def json_texts(array: pa.Array, leaves: Leaves) -> Texts:
    """Each value of a nested array in compact JSON, None where it is null.

    Structs and maps are objects; one that has a key twice is a list of ``[key, value]`` pairs,
    since readers of an object would keep but one of them.
    """
    array = _unwrapped(array)
    for applies, texts in _NESTED:
        if applies(array.type):
            return texts(array, leaves)
    return leaves(array)


def json_string(text: str) -> str:
    """`text` as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def without_runs(array: Runs) -> Runs:
    """A run-end encoded array as a plain one."""
    # Takes 0.05 s to import, and few arrays are of this type.
    from pyarrow.compute import run_end_decode

    return run_end_decode(array)


def float_text(value: float) -> str:
    """The one spelling of a float that is not a number: NaN, Infinity or -Infinity."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _unwrapped(array: pa.Array) -> pa.Array:
    """`array` without what may stand between a nested type and the one inside."""
    if isinstance(array, pa.ExtensionArray) and pa.types.is_nested(array.type.storage_type):
        return _unwrapped(array.storage)
    if pa.types.is_dictionary(array.type):
        return _unwrapped(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return _unwrapped(without_runs(array))
    return array


def _list(items: Iterable[str | None]) -> str:
    return f"[{','.join('null' if item is None else item for item in items)}]"


def _object(keys: Iterable[str | None], values: Iterable[str | None]) -> str:
    pairs = [(_key(key), value) for key, value in zip(keys, values, strict=True)]
    if len(dict(pairs)) < len(pairs):
        return _list(_list(pair) for pair in pairs)
    members = (f"{key}:{'null' if value is None else value}" for key, value in pairs)
    return f"{{{','.join(members)}}}"


def _key(text: str | None) -> str:
    """A key that is no string becomes one: its own JSON text."""
    text = text or "null"
    return text if text.startswith('"') else json_string(text)


def _lists(array: pa.Array, leaves: Leaves) -> Texts:
    items = iter(json_texts(array.flatten(), leaves))
    return [
        None if length is None else _list(islice(items, length))
        for length in array.value_lengths().to_pylist()
    ]


def _maps(array: pa.Array, leaves: Leaves) -> Texts:
    entries = array.cast(pa.list_(array.type.field(0)))
    keys, values = (iter(json_texts(part, leaves)) for part in entries.flatten().flatten())
    return [
        None if length is None else _object(islice(keys, length), islice(values, length))
        for length in entries.value_lengths().to_pylist()
    ]


def _structs(array: pa.Array, leaves: Leaves) -> Texts:
    names = [json_string(field.name) for field in array.type]
    columns = [json_texts(part, leaves) for part in array.flatten()]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(array))
    return [
        _object(names, row) if valid else None
        for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _unions(array: pa.Array, leaves: Leaves) -> Texts:
    members = [scalar.value for scalar in array]
    return [
        None if scalar is None else json_texts(pa.array([scalar], scalar.type), leaves)[0]
        for scalar in members
    ]


_NESTED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, Leaves], Texts]], ...] = (
    (pa.types.is_struct, _structs),
    (pa.types.is_map, _maps),
    (pa.types.is_union, _unions),
    (pa.types.is_nested, _lists),
)
