from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.labels import count_renamed, fold_name, unique_labels


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["a", "A", "a (2)"], ["a", "A (3)", "a (2)"]),
        (["", "x", "  "], ["column 1", "x", "column 3"]),
        (["é", "e\u0301"], ["é", "e\u0301 (2)"]),
        (["Straße", "STRASSE"], ["Straße", "STRASSE (2)"]),
        (["x\ny", "=x"], ["x\ny", "=x"]),
    ],
)
def test_labels_that_look_alike_are_numbered(labels: list[str], expected: list[str]):
    assert unique_labels(labels) == expected


@given(st.lists(st.sampled_from(["a", "A", "a (2)", "a (3)", "", "column 2", "b"]) | st.text()))
def test_labels_are_always_unique_and_as_many(labels: list[str]):
    result = unique_labels(labels)
    assert len({fold_name(label) for label in result}) == len(result) == len(labels)


def test_sixteen_thousand_equal_labels_take_no_time():
    start = time.perf_counter()
    unique_labels(["a"] * 16_384)
    assert time.perf_counter() - start < 2


def test_each_renamed_label_is_one_warning():
    assert count_renamed(["a", "a"], ["a", "a (2)"]) == {("a (2)", "column_renamed"): 1}
