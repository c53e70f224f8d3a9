"""Sheet names that Excel accepts, unique within a workbook.

XlsxWriter and openpyxl let names through at which Excel offers to repair the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import count

from waybill.exporter.formats.xlsx.limits import MAX_NAME_UNITS

_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
#: Controls, marks that turn the direction of writing (U+202E and its like), lone surrogates,
#: the byte order mark, and the two non-characters XML forbids.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
#: Excel keeps this name for the record of changes in shared workbooks.
_RESERVED = "history"
_NAMELESS = "Sheet1"


class SheetNames:
    """Hands out names for one workbook; no two of them are the same to Excel."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """`taken` are the names of sheets that are there already."""
        self._folded = {_fold(name) for name in taken}

    def claim(self, requested: str) -> str:
        """The nearest acceptable name to `requested` that is still free, now taken."""
        name = acceptable(requested)
        for number in count(2):
            if _fold(name) not in self._folded:
                break
            suffix = f" ({number})"
            name = _cut(acceptable(requested), MAX_NAME_UNITS - len(suffix)) + suffix
        self._folded.add(_fold(name))
        return name


def acceptable(requested: str) -> str:
    """`requested` without what Excel refuses, cut to 31 UTF-16 units at a whole character."""
    visible = _FORBIDDEN.sub("_", _INVISIBLE.sub("", requested)).strip("' ")
    name = _cut(visible, MAX_NAME_UNITS) or _NAMELESS
    return f"{name}_" if name.casefold() == _RESERVED else name


def _cut(name: str, units: int) -> str:
    raw = name.encode("utf-16-le")[: 2 * units]
    return raw.decode("utf-16-le", "ignore").rstrip("' ")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
