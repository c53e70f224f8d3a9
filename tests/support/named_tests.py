"""Tests by name: which ones exist, and which rows of docs/reliability.md stand for some."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_TESTS = Path(__file__).parents[1]
#: The page with the matrices of faults and of hostile requests.
RELIABILITY = (_TESTS.parent / "docs/reliability.md").read_text()


def defined_tests() -> set[str]:
    """The names of all test functions."""
    return {
        node.name
        for path in _TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def matrix_rows() -> dict[str, str]:
    """The last cell of each row of the matrices, by its number."""
    return dict(re.findall(r"^\| ([FR]\d+) \|[^|]*\|(.*)\|$", RELIABILITY, re.MULTILINE))
