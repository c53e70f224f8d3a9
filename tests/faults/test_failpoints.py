"""The registry of failpoints is the truth: each is in the code, and each has a crash."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from waybill.infra.failpoints import FAILPOINTS

INFRA = Path(__file__).parents[2] / "infra"
#: Their tests are parametrized with the failpoints at which they end a process.
CRASHES = sorted(Path(__file__).parent.glob("test_*_crash_points.py"))


@pytest.mark.parametrize("name", FAILPOINTS)
def test_every_failpoint_has_a_crash_test(name: str) -> None:
    assert name in set().union(*(texts_in(path) for path in CRASHES))


def test_every_failpoint_is_in_the_code_and_every_one_in_the_code_is_registered() -> None:
    assert {name for path in INFRA.rglob("*.py") for name in called_in(path)} == set(FAILPOINTS)


def texts_in(path: Path) -> set[str]:
    """The texts that a source file consists of, as they are."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def called_in(path: Path) -> set[str]:
    """The failpoints that a source file passes by."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "failpoint"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
