"""The size and duration model: defaults, lines through past exports, and outliers."""

from __future__ import annotations

import pytest

from waybill.exporter.formats.registry import FORMATS
from waybill.infra.estimates.model import (
    PastExport,
    correct_planner_rows,
    estimate_bytes,
    estimate_seconds,
    filled_params,
)


def past(rows: int, size: int, *, seconds: float | None = None, planned: int | None = None):
    return PastExport(rows, size, seconds, planned, frozenset())


@pytest.mark.parametrize("chosen", FORMATS)
def test_an_export_without_rows_is_the_empty_file(chosen):
    assert estimate_bytes(chosen, 0, 11, []) == FORMATS[chosen].empty_bytes


def test_without_a_past_bytes_grow_with_rows_and_columns():
    assert estimate_bytes("csv", 1_000_000, 10, []) == pytest.approx(128_000_000, rel=0.01)
    assert estimate_bytes("csv", 1_000_000, 20, []) == pytest.approx(256_000_000, rel=0.01)


def test_a_past_of_different_sizes_tells_its_fixed_part():
    exports = [past(rows, 9_000 + 40 * rows) for rows in (10, 200, 3_000, 50_000)]

    assert estimate_bytes("parquet", 1, 11, exports) == pytest.approx(9_040, rel=0.01)
    assert estimate_bytes("parquet", 1_000_000, 11, exports) == pytest.approx(40_009_000, rel=0.01)


@pytest.mark.parametrize("stray", [past(1_500, 900_000_000), past(1, 900_000_000), past(1_500, 1)])
def test_a_stray_export_moves_no_line(stray):
    exports = [past(rows, 100 * rows) for rows in (1_000, 2_000, 4_000, 5_000)]

    assert estimate_bytes("csv", 3_000, 11, [stray, *exports]) == pytest.approx(300_000, rel=0.1)


def test_sizes_that_hardly_differ_draw_no_line():
    exports = [past(1_000, 80_000), past(1_001, 90_000), past(1_002, 100_000)]

    assert estimate_bytes("csv", 100_000, 11, exports) == pytest.approx(9_000_000, rel=0.02)


def test_exports_nearest_in_size_decide():
    small = [past(100 + n, 500 * (100 + n)) for n in range(12)]
    large = [past(1_000_000 + n, 50 * (1_000_000 + n)) for n in range(8)]

    assert estimate_bytes("csv", 2_000_000, 11, small + large) == pytest.approx(1e8, rel=0.01)


@pytest.mark.parametrize(
    "exports", [[past(0, 500)], [past(0, 0), past(0, 0)], [past(5, 0)], [past(10, 7), past(99, 3)]]
)
def test_no_past_gives_less_than_nothing(exports):
    for rows in (0, 1, 10**12):
        assert estimate_bytes("csv", rows, 11, exports) >= 0
        assert estimate_seconds(rows, 11, exports) >= 0


def test_repeated_attempts_say_nothing_about_time():
    once = past(1_000_000, 1, seconds=10)

    assert estimate_seconds(2_000_000, 11, [once, past(1_000_000, 1)]) == pytest.approx(
        20, rel=0.05
    )
    assert estimate_seconds(0, 11, []) == estimate_seconds(0, 99, [past(5, 5)])


def test_the_planner_is_corrected_by_the_median_of_its_errors_but_not_beyond_reason():
    off = [past(300, 1, planned=100), past(310, 1, planned=100), past(9_000, 1, planned=3_000)]

    assert correct_planner_rows(50, frozenset(), off) == 150
    assert correct_planner_rows(50, frozenset(), off[:2]) == 50
    assert correct_planner_rows(50, frozenset({"city"}), off) == 50
    assert correct_planner_rows(50, frozenset(), [past(10**9, 1, planned=1)] * 3) == 500
    assert correct_planner_rows(50, frozenset(), [past(0, 1, planned=100)] * 3) == 5
    assert correct_planner_rows(50, frozenset(), [past(5, 1, planned=0)] * 3) == 50


def test_an_empty_parameter_is_not_filled_in():
    assert filled_params({"a": None, "b": "", "c": [], "d": 0, "e": False}) == {"d", "e"}
