"""Names that have to differ: column headings, and the entries of an archive.

Two names count as the same when a person, or a file system that folds case, would mix them
up: after Unicode composition (NFC) and case folding.
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
    return distinct(named, lambda label, number: f"{label} ({number})")


def count_renamed(asked: Sequence[str], given: Sequence[str]) -> Warnings:
    """One warning for each name that is not the one asked for."""
    pairs = zip(asked, given, strict=True)
    return Counter({(name, WarningRule.COLUMN_RENAMED): 1 for wish, name in pairs if wish != name})


def distinct(names: Iterable[str], renumber: Callable[[str, int], str]) -> list[str]:
    """`names` with every repeated one replaced by ``renumber(name, 2)``, or 3, 4 … ."""
    wanted = list(names)
    # Names that are unique as they stand keep their text, so a column really called
    # ``a (2)`` is not renamed because two others are called ``a``.
    taken = {fold_name(name) for name in wanted}
    used: set[str] = set()
    next_number: dict[str, int] = {}
    result: list[str] = []
    for name in wanted:
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
