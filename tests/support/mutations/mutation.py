"""Mutations: a guard of the product, what is put in its place, and the test that fails then.

`request_guards.py`, `login_guards.py` and `fault_guards.py` list them, and
`tests/faults/test_guard_mutations.py` runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """What is put in the place of a guard, and the test that has to notice."""

    guard: str
    instead: Any
    test: str


def nothing(*_: Any, **__: Any) -> None:
    """In the place of a guard that only acts."""


async def finds_nothing(*_: Any, **__: Any) -> None:
    """In the place of a guard that looks first."""


def always(answer: object) -> Callable[..., Any]:
    """In the place of a guard that decides."""
    return lambda *_, **__: answer
