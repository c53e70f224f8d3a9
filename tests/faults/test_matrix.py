"""The matrices of docs/reliability.md are complete, and name tests that exist."""

from __future__ import annotations

import re

from tests.support.named_tests import RELIABILITY, defined_tests, matrix_rows

ROWS = matrix_rows()
DEFINED = defined_tests()
FAULTS, REQUESTS = ([int(row[1:]) for row in ROWS if row[0] == kind] for kind in "FR")


def test_every_fault_and_every_hostile_request_has_a_row_in_order():
    in_order = [f"F{number}" for number in sorted(FAULTS)]
    in_order += [f"R{number}" for number in sorted(REQUESTS)]
    assert list(ROWS) == in_order
    assert FAULTS[:58] == list(range(1, 59))
    assert REQUESTS[:33] == list(range(1, 34))


def test_every_hostile_request_has_a_test_with_its_number():
    numbers = {
        int(number)
        for name in DEFINED
        for prefix in re.findall(r"^test_((?:r\d+_)+)", name)
        for number in re.findall(r"\d+", prefix)
    }
    assert set(REQUESTS) - numbers == set()


def test_every_test_they_name_is_there():
    assert set(re.findall(r"`(test_\w+)`", RELIABILITY)) - DEFINED == set()
