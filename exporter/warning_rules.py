"""Warning rules: every way in which an encoder may change a value, declared once.

To add one, add a member here and its text to each language of the page (``rule_NAME`` in
`waybill.api.pages.texts`); a test names what is missing.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Self


class WarningRule(StrEnum):
    """The stable name of a rule, as tasks, manifests and the API report it."""

    phrase: str
    """What was changed, in English, as a line of the "About this export" sheet."""

    def __new__(cls, value: str, phrase: str) -> Self:
        """Make the member `value`, a string that also has a `phrase`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.phrase = phrase
        return member

    AMBIGUOUS_TIME_AS_TEXT = (
        "ambiguous_time_as_text",
        "Times in the hour that a zone has twice, written as text with their offset",
    )
    BINARY_AS_BASE64 = "binary_as_base64", "Bytes, written as base64 text"
    COLUMN_RENAMED = "column_renamed", "Heading changed, so that it is unique and printable"
    DATE_AS_TEXT = (
        "date_as_text",
        "Dates and times outside Excel's calendar (1900-03-01 to 9999-12-31), written as text",
    )
    DURATION_AS_TEXT = "duration_as_text", "Durations Excel cannot show, written as text"
    FORMULA_GUARDED = "formula_guarded", "Text that looks like a formula, with an apostrophe added"
    LONG_NUMBER_AS_TEXT = (
        "long_number_as_text",
        "Numbers of more than 15 digits, written as text to stay exact",
    )
    NANOSECONDS_DROPPED = "nanoseconds_dropped", "Times cut to microseconds"
    NOT_FINITE_AS_TEXT = "not_finite_as_text", "NaN or infinity, written as text"
    NUMBER_ROUNDED = "number_rounded", "Numbers of more than 15 digits, rounded as requested"
    NUL_REPLACED = "nul_replaced", "NUL characters, replaced by U+FFFD"
    NULL_AS_EMPTY_TEXT = "null_as_empty_text", "NULL, written as empty text"
    TINY_NUMBER_AS_TEXT = (
        "tiny_number_as_text",
        "Numbers closer to zero than Excel can hold (2.2E-308), written as text",
    )
    TRUNCATED_TEXT = "truncated_text", "Text longer than 32,767 characters, cut and marked"
    TYPE_AS_TEXT = (
        "type_as_text",
        "Values not of their column's type, or of one the format lacks, written as text",
    )


#: How often a value had to be changed, by (column name, rule).
Warnings = Counter[tuple[str, WarningRule]]
