"""The two ways a CSV file is written: for people with Excel, and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CsvProfile:
    """How CSV text is written, under a name that settings and manifests use."""

    name: str
    #: Begin with U+FEFF. Without it Excel takes UTF-8 for the system's own code page; with
    #: it many programs take the mark for a part of the first column's name.
    byte_order_mark: bool
    line_end: str
    #: Put an apostrophe before text that a spreadsheet would run as a formula.
    guards_formulas: bool


EXCEL = CsvProfile("excel", byte_order_mark=True, line_end="\r\n", guards_formulas=True)
MACHINE = CsvProfile("machine", byte_order_mark=False, line_end="\n", guards_formulas=False)

PROFILES: Mapping[str, CsvProfile] = {profile.name: profile for profile in (EXCEL, MACHINE)}
