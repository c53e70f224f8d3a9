"""CSV profiles: how CSV is written for people with Excel and for programs, and in what parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: Rows of one CSV file in an archive: a round number below the 1,048,576 lines that a
#: spreadsheet opens.
CSV_PART_ROWS = 1_000_000
#: Uncompressed bytes of one: 32-bit programs, and Windows' own unzipping, end at 2 GiB.
CSV_PART_BYTES = (2 << 30) - 1


class Quoting(StrEnum):
    """Which fields stand between quotes. NULL never does, and an empty text always does."""

    #: All text; numbers, booleans and dates do not.
    TEXT = "text"
    #: What RFC 4180 demands: delimiters, quotes and line breaks; and blanks at an end.
    MINIMAL = "minimal"
    #: Every value, as PostgreSQL's ``FORCE_QUOTE *`` does.
    ALL = "all"


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
    delimiter: str = ","
    #: Between the whole and the fraction of a number. Never the delimiter.
    decimal_sign: str = "."
    quoting: Quoting = Quoting.TEXT
    #: Timestamps as spreadsheets read them, on the clocks of the zone that the heading names; else
    #: ISO 8601 with an offset.
    local_times: bool = False


EXCEL = CsvProfile("excel", byte_order_mark=True, line_end="\r\n", guards_formulas=True)
#: For the countries where Excel takes a comma for the decimal sign, most of Europe among them.
EXCEL_SEMICOLON = CsvProfile(
    "excel-semicolon",
    byte_order_mark=True,
    line_end="\r\n",
    guards_formulas=True,
    delimiter=";",
    decimal_sign=",",
)
MACHINE = CsvProfile("machine", byte_order_mark=False, line_end="\n", guards_formulas=False)

PROFILES: Mapping[str, CsvProfile] = {
    profile.name: profile for profile in (EXCEL, EXCEL_SEMICOLON, MACHINE)
}
