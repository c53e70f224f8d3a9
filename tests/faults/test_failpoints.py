"""The registry of failpoints is the truth: each is in the code, and each has a crash."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults import (
    test_api_crash_points,
    test_notification_crash_points,
    test_worker_crash_points,
)
from waybill.infra.failpoints import FAILPOINTS

CRASHES = (test_api_crash_points, test_notification_crash_points, test_worker_crash_points)
INFRA = Path(__file__).parents[2] / "infra"


@pytest.mark.parametrize("name", FAILPOINTS)
def test_every_failpoint_has_a_crash_test(name):
    assert name in set().union(*(crashed_at(module) for module in CRASHES))


def test_every_failpoint_is_in_the_code_and_every_one_in_the_code_is_registered():
    assert {name for path in INFRA.rglob("*.py") for name in called_in(path)} == set(FAILPOINTS)


def crashed_at(module) -> set[str]:
    """The failpoints that the tests of a module are parametrized with."""
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ())]
    return {point for mark in marks if mark.args[0] == "point" for point in mark.args[1]}


def called_in(path: Path) -> set[str]:
    """The failpoints that a source file passes by."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "failpoint"
        and isinstance(call.args[0], ast.Constant)
    }
