"""CSV profiles: how CSV is written for people with Excel and for programs, and in what parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Rows of one CSV file in an archive: a round number below the 1,048,576 lines that a
#: spreadsheet opens.
CSV_PART_ROWS = 1_000_000
#: Uncompressed bytes of one: 32-bit programs, and Windows' own unzipping, end at 2 GiB.
CSV_PART_BYTES = (2 << 30) - 1


@dataclass(frozen=True, slots=True)
class CsvProfile:
    """How CSV text is written, under a name that settings and manifests use."""

    name: str
    #: Begin with U+FEFF. Without it Excel reads UTF-8 in the system's own code page; with it,
    #: many programs read the mark as a part of the first column's name.
    byte_order_mark: bool
    line_end: str
    #: Put an apostrophe before text that a spreadsheet would run as a formula.
    guards_formulas: bool


EXCEL = CsvProfile("excel", byte_order_mark=True, line_end="\r\n", guards_formulas=True)
MACHINE = CsvProfile("machine", byte_order_mark=False, line_end="\n", guards_formulas=False)

PROFILES: Mapping[str, CsvProfile] = {profile.name: profile for profile in (EXCEL, MACHINE)}
