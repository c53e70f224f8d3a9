"""The tables of standards in docs/security.md are complete, and name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.named_tests import defined_tests, matrix_rows

PAGE = (Path(__file__).parents[2] / "docs/security.md").read_text()
ROWS = re.findall(
    r"^\| ((?:API|V)\d+) ([^|]+) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE
)
DEFINED, MATRIX = defined_tests(), matrix_rows()


def test_every_risk_and_every_chapter_has_a_line_in_order():
    found = list(dict.fromkeys(number for number, *_ in ROWS))
    assert found == [f"API{n}" for n in range(1, 11)] + [f"V{n}" for n in range(1, 18)]


@pytest.mark.parametrize(("number", "name", "state", "_how", "held_by"), ROWS)
def test_a_line_that_is_covered_is_held_by_tests_that_exist(number, name, state, _how, held_by):
    tests = set(re.findall(r"`(test_\w+)`", held_by))
    numbers = set(re.findall(r"\b[FR]\d+\b", held_by))

    assert state in ("covered", "partly", "not ours")
    assert tests | numbers or state == "not ours"
    assert tests - DEFINED == set()
    assert numbers - set(MATRIX) == set()


def test_a_requirement_belongs_to_the_chapter_of_its_line():
    for number, name, _state, how, _held_by in ROWS:
        if number.startswith("V"):
            named = re.findall(r"\b(\d+)\.\d+(?:\.\d+)?\b", f"{name} {how}")
            assert set(named) <= {number[1:]}, (number, name)
