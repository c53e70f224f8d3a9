"""Formula guard: finds text that a spreadsheet would run as a formula.

A CSV file has no types, so Excel, LibreOffice and Google Sheets read a field that begins
with ``=``, ``+``, ``-`` or ``@`` as a formula, quoted or not. The guard is an apostrophe in
front (OWASP ASVS 5.0, 1.2.10). Typed numbers need none and get none, and neither does text that
is no more than a number or a telephone number behind its sign: digits run nothing.
"""

from __future__ import annotations

import polars as pl

from waybill.exporter.values.column_bytes import first_bytes

#: Every character whose NFKC form begins with ``=``, ``+``, ``-`` or ``@``.
_STARTS = r"=⁼₌⩵⩶﹦＝" r"+⁺₊﬩﹢＋" r"\-﹣－" r"@﹫＠"

#: Programs strip leading blanks, and invisible characters hide what comes after them, so
#: both are looked through. Behind a TAB, CR, LF or NUL, any visible text is suspect.
_BLANK = r"\p{Z}\p{Cc}\p{Cf}"
_PATTERN = rf"^[{_BLANK}]*(?:[{_STARTS}]|[\t\r\n\x00][{_BLANK}]*[^{_BLANK}])"

#: A sign alone, a number with its separators, exponent or percent sign, or a telephone number as
#: ITU-T E.123 writes them. There is no letter to name a function or a program with, and no bar
#: or exclamation mark to address one (CVE-2014-3524, DDE). Only ASCII: what folds to it is odd.
_HARMLESS = (
    r"^ *(?:[-+] *(?:[0-9][0-9.,' ]*(?:[eE][-+]?[0-9]+)?%?)?"
    r"|\+[0-9 ()./-]*) *$"
)

#: With which bytes of UTF-8 a text that matches `_PATTERN` may begin: what is of ASCII in it, and
#: the first byte of each other character in it. (A test asks the pattern for every character.)
FIRST_BYTES = first_bytes(
    [*range(0x21), *b"=+-@\x7f", 0xC2, 0xD8, 0xDB, 0xDC, *range(0xE0, 0xE4), 0xEF, 0xF0, 0xF3]
)


def begins_formula(text: pl.Expr) -> pl.Expr:
    """Whether a spreadsheet could run each text as a formula; null where it is null."""
    return text.str.contains(_PATTERN) & ~text.str.contains(_HARMLESS)
