"""N1–N6: names of sheets that Excel opens without repairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.formats.xlsx.sheet_names import SheetNames, acceptable


def _units(name: str) -> int:
    return len(name.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        # N1: 31 UTF-16 units, never half a character
        ("x" * 32, "x" * 31),
        ("é" * 31, "é" * 31),
        ("😀" * 16, "😀" * 15),
        # N2
        ("a[b]c:d*e?f/g\\h", "a_b_c_d_e_f_g_h"),
        # N3
        ("'a", "a"),
        ("a'", "a"),
        ("it's", "it's"),
        ("x" * 30 + "'y", "x" * 30),
        # N4
        ("History", "History_"),
        ("HISTORY", "HISTORY_"),
        ("", "Sheet1"),
        ("   ", "Sheet1"),
        ("'", "Sheet1"),
        # N6
        ("a\x00b\u202ec\ud800d", "abcd"),
    ],
)
def test_a_name_excel_refuses_becomes_the_nearest_it_takes(wanted: str, given: str) -> None:
    assert acceptable(wanted) == given


def test_names_that_excel_thinks_equal_are_numbered() -> None:
    """N5"""
    names = SheetNames()
    wanted = ["Data", "data", "ＤＡＴＡ", "Straße", "STRASSE", "Data (2)"]
    assert [names.claim(name) for name in wanted] == [
        "Data",
        "data (2)",
        "ＤＡＴＡ (3)",
        "Straße",
        "STRASSE (2)",
        "Data (2) (2)",
    ]


def test_a_number_fits_inside_the_limit() -> None:
    names = SheetNames(["x" * 31])
    assert names.claim("x" * 40) == "x" * 27 + " (2)"


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_names_become_different_ones_within_the_limits(wanted: list[str]) -> None:
    names = SheetNames()
    given = [names.claim(name) for name in wanted]
    assert len({name.casefold() for name in given}) == len(wanted)
    for name in given:
        assert 1 <= _units(name) <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name == name.strip("' ")
