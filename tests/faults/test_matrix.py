"""The fault matrix of docs/reliability.md is complete, and names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/reliability.md").read_text()


def test_every_fault_has_a_row():
    rows = re.findall(r"^\| (F\d+) \|", PAGE, re.MULTILINE)
    assert rows == [f"F{number}" for number in range(1, 59)]


def test_every_test_it_names_is_there():
    defined = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - defined == set()
