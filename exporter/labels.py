"""Unique column labels.

Two labels count as equal if they are equal after Unicode composition (NFC) and case folding, as
people, and readers that fold case, would confuse them.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from waybill.exporter.warning_rules import WarningRule, Warnings


def unique_labels(labels: Iterable[str]) -> list[str]:
    """`labels` in their order, each different from all others.

    The first of several equal ones keeps its text, the next becomes ``text (2)``. An empty
    or blank one becomes ``column N``, counted from 1, since a heading has to be nameable.
    """
    named = [label if label.strip() else f"column {n}" for n, label in enumerate(labels, 1)]
    return _distinct(named, lambda label, number: f"{label} ({number})")


def count_renamed(requested: Sequence[str], given: Sequence[str]) -> Warnings:
    """One warning for each name that differs from the requested one."""
    pairs = zip(requested, given, strict=True)
    return Counter({(name, WarningRule.COLUMN_RENAMED): 1 for old, name in pairs if old != name})


def _distinct(names: Iterable[str], renumber: Callable[[str, int], str]) -> list[str]:
    """`names` with every repeated one replaced by ``renumber(name, 2)``, or 3, 4 … ."""
    originals = list(names)
    # Names that are unique as they stand keep their text, so a column really called
    # ``a (2)`` is not renamed because two others are called ``a``.
    taken = {fold_name(name) for name in originals}
    used: set[str] = set()
    next_number: dict[str, int] = {}
    result: list[str] = []
    for name in originals:
        folded = candidate = fold_name(name)
        text = name
        while candidate in used or (text != name and candidate in taken):
            number = next_number.get(folded, 2)
            next_number[folded] = number + 1
            text = renumber(name, number)
            candidate = fold_name(text)
        used.add(candidate)
        result.append(text)
    return result


def fold_name(name: str) -> str:
    """The form in which two names are compared."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
