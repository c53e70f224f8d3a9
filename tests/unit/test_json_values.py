"""Nested values as JSON text: every type of leaf, every way to nest, keys that are there twice."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from waybill.exporter.values.arrow_conversions import for_polars

_ID = UUID("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9")


def shown(array: pa.Array, zone: str = "UTC") -> list[Any]:
    """What `json.loads` makes of each value's text."""
    texts = for_polars(pa.chunked_array([array]), ZoneInfo(zone))
    return [None if text is None else json.loads(text) for text in texts.to_pylist()]


def one(value: Any, kind: pa.DataType, zone: str = "UTC") -> Any:
    """The only leaf of a list of `kind`."""
    [[leaf]] = shown(pa.array([[value]], pa.list_(kind)), zone)
    return leaf


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (Decimal("1.50"), pa.decimal128(5, 2), "[1.50]"),
        (Decimal("0E-7"), pa.decimal128(9, 7), "[0.0000000]"),
        (Decimal(10**49), pa.decimal256(60, 1), f"[{10**49}.0]"),
        ('{"a":1.10}', pa.json_(), '[{"a":1.10}]'),
    ],
    ids=str,
)
def test_decimals_are_numbers_with_all_their_digits(value: Any, kind: pa.DataType, text: str):
    stored = pa.array([value], kind.storage_type if isinstance(kind, pa.JsonType) else kind)
    leaf = pa.ExtensionArray.from_storage(kind, stored) if isinstance(kind, pa.JsonType) else stored
    array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), leaf)
    assert for_polars(pa.chunked_array([array]), ZoneInfo("UTC")).to_pylist() == [text]


@pytest.mark.parametrize(
    ("value", "kind", "leaf"),
    [
        (1_767_323_045_000_000_001, pa.timestamp("ns"), "2026-01-02T03:04:05.000000001"),
        (
            1_767_323_045_000_000_001,
            pa.timestamp("ns", "UTC"),
            "2026-01-02T12:04:05.000000001+09:00",
        ),
        (1_767_323_045, pa.timestamp("s", "America/New_York"), "2026-01-02T12:04:05+09:00"),
        (253_402_300_800_000_000, pa.timestamp("us"), "+10000-01-01T00:00:00"),
        (2**63 - 1, pa.timestamp("us"), "infinity"),
        (-719_529, pa.date32(), "-0001-12-31"),
        (86_399_999_999_999, pa.time64("ns"), "23:59:59.999999999"),
        (-1, pa.duration("ns"), "PT-0.000000001S"),
        ((1, 2, 3), pa.month_day_nano_interval(), "P1M2DT0.000000003S"),
        (2**64 - 1, pa.uint64(), 2**64 - 1),
        (True, pa.bool_(), True),
        (None, pa.null(), None),
        (0.1, pa.float32(), 0.1),
        (0.1, pa.float64(), 0.1),
        (float("nan"), pa.float32(), "NaN"),
        (float("-inf"), pa.float64(), "-Infinity"),
        (b"\xff\x00", pa.binary(), "/wA="),
        ('"\\\n\x00é', pa.string_view(), '"\\\n\x00é'),
    ],
    ids=str,
)
def test_a_leaf_is_a_json_value_or_the_text_of_a_column_of_its_own(value, kind, leaf):
    assert one(value, kind, "Asia/Tokyo") == leaf


def test_leaves_are_unwrapped():
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([_ID.bytes], pa.binary(16)))
    assert shown(pa.ListArray.from_arrays([0, 1], ids)) == [[str(_ID)]]
    words = pa.array(["a", None, "a"]).dictionary_encode()
    assert shown(pa.ListArray.from_arrays([0, 2, 3], words)) == [["a", None], ["a"]]
    runs = pa.compute.run_end_encode(pa.array([1, 1, None]))
    assert shown(pa.StructArray.from_arrays([runs], ["n"])) == [{"n": 1}, {"n": 1}, {"n": None}]
    lists = pa.DictionaryArray.from_arrays([0, 0], pa.array([[1, 2]]))
    assert shown(pa.StructArray.from_arrays([lists], ["n"])) == [{"n": [1, 2]}, {"n": [1, 2]}]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int8()),
        pa.large_list(pa.int8()),
        pa.list_view(pa.int8()),
        pa.large_list_view(pa.int8()),
        pa.list_(pa.int8(), 2),
    ],
    ids=str,
)
def test_lists_of_every_layout_are_arrays_wherever_they_are_sliced(kind: pa.DataType):
    values = [[1, 2], None, [3, None], [5, 6]]
    array = pa.array(values, kind)
    assert shown(array) == values
    assert shown(array[1:3]) == values[1:3]


def test_a_key_that_is_there_twice_makes_a_list_of_pairs():
    maps = pa.array(
        [[("a", 1), ("b", None)], [("a", 1), ("a", 2)], [], None], pa.map_(pa.string(), pa.int8())
    )
    assert shown(maps) == [{"a": 1, "b": None}, [["a", 1], ["a", 2]], {}, None]
    assert shown(maps[1:2]) == [[["a", 1], ["a", 2]]]
    structs = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    assert shown(structs) == [[["a", 1], ["a", 2]]]


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [
        (7, pa.int32(), "7"),
        (True, pa.bool_(), "true"),
        (1, pa.timestamp("ns"), "1970-01-01T00:00:00.000000001"),
        ({"x": 1}, pa.struct({"x": pa.int8()}), '{"x":1}'),
    ],
    ids=str,
)
def test_keys_that_are_not_text_are_named_by_their_json(key: Any, kind: pa.DataType, name: str):
    maps = pa.array([[(key, "v")]], pa.map_(kind, pa.string()))
    assert shown(maps) == [{name: "v"}]


def test_unions_are_the_value_that_is_there():
    codes = pa.array([0, 1, 0], pa.int8())
    numbers, words = pa.array([1, 2, None]), pa.array(["a", "b", "c"])
    assert shown(pa.UnionArray.from_sparse(codes, [numbers, words])) == [1, "b", None]
    offsets = pa.array([0, 0, 1], pa.int32())
    nested = pa.array([[1], [2]])
    assert shown(pa.UnionArray.from_dense(codes, offsets, [nested, words])) == [[1], "a", [2]]


def test_a_null_struct_is_null_whatever_its_fields_hold():
    structs = pa.StructArray.from_arrays([pa.array([1, 2])], ["n"], mask=pa.array([False, True]))
    assert shown(structs) == [{"n": 1}, None]
    assert shown(pa.array([{}, None], pa.struct([]))) == [{}, None]


_LEAVES = st.none() | st.integers(-(2**63), 2**63 - 1)
_ROWS = st.lists(
    st.none()
    | st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "名": _LEAVES,
                "deep": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
            }
        ),
        max_size=4,
    ),
    max_size=6,
)


@given(_ROWS, st.integers(0, 6))
@examples(60)
def test_json_reads_back_whatever_was_nested(rows: list[Any], start: int):
    kind = pa.list_(pa.struct({"名": pa.int64(), "deep": pa.list_(pa.string())}))
    assert shown(pa.array(rows, kind)[start:]) == rows[start:]
