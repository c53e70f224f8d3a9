"""Warning rules: every way in which an encoder may change a value, declared once.

To add one, add a member here and its text to the English page (``rule_NAME`` in
`waybill.api.pages.texts.english`); a test names what is missing.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Self


class WarningRule(StrEnum):
    """The stable name of a rule, as tasks, manifests and the API report it."""

    phrase: str
    """What was changed, in English, as a line of the "About this export" sheet."""
    chinese: str
    """The same in Chinese, on the page as well."""

    def __new__(cls, value: str, phrase: str, chinese: str) -> Self:
        """Make the member `value`, a string that also has its phrases."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.phrase = phrase
        member.chinese = chinese
        return member

    def phrase_in(self, language: str) -> str:
        """What was changed, in `language`; in English where there is no such text."""
        return self.chinese if language == "zh" else self.phrase

    AMBIGUOUS_TIME_AS_TEXT = (
        "ambiguous_time_as_text",
        "Times in the hour that a zone has twice, written as text with their offset",
        "夏令时结束时重复的那一小时以带时区偏移的文本写入",
    )
    BINARY_AS_BASE64 = (
        "binary_as_base64",
        "Bytes, written as base64 text",
        "二进制数据以 Base64 文本写入",
    )
    COLUMN_RENAMED = (
        "column_renamed",
        "Heading changed, so that it is unique and printable",
        "列标题已调整，以确保可打印且不重复",
    )
    DATE_AS_TEXT = (
        "date_as_text",
        "Dates and times outside Excel's calendar (1900-03-01 to 9999-12-31), written as text",
        "超出 Excel 范围的日期和时间以文本写入",
    )
    DURATION_AS_TEXT = (
        "duration_as_text",
        "Durations Excel cannot show, written as text",
        "Excel 无法显示的时长以文本写入",
    )
    FORMULA_GUARDED = (
        "formula_guarded",
        "Text that looks like a formula, with an apostrophe added",
        "疑似公式的文本前已加单引号",
    )
    LONG_NUMBER_AS_TEXT = (
        "long_number_as_text",
        "Numbers of more than 15 digits, written as text to stay exact",
        "超过 15 位的数字以文本写入，以保持精确",
    )
    NANOSECONDS_DROPPED = (
        "nanoseconds_dropped",
        "Times cut to microseconds",
        "时间已截断到微秒",
    )
    NOT_FINITE_AS_TEXT = (
        "not_finite_as_text",
        "NaN or infinity, written as text",
        "NaN 和无穷大以文本写入",
    )
    NUMBER_ROUNDED = (
        "number_rounded",
        "Numbers of more than 15 digits, rounded as requested",
        "超过 15 位的数字已按要求舍入",
    )
    NUL_REPLACED = (
        "nul_replaced",
        "NUL characters, replaced by U+FFFD",
        "NUL 字符已替换为占位符",
    )
    NULL_AS_EMPTY_TEXT = (
        "null_as_empty_text",
        "NULL, written as empty text",
        "空值以空文本写入",
    )
    TINY_NUMBER_AS_TEXT = (
        "tiny_number_as_text",
        "Numbers closer to zero than Excel can hold (2.2E-308), written as text",
        "过于接近零、Excel 无法表示的数字以文本写入",
    )
    TRUNCATED_TEXT = (
        "truncated_text",
        "Text longer than 32,767 characters, cut and marked",
        "超过单元格长度上限的文本已截断并标记",
    )
    TYPE_AS_TEXT = (
        "type_as_text",
        "Values not of their column's type, or of one the format lacks, written as text",
        "与列类型不符或格式不支持的值以文本写入",
    )


#: How often a value had to be changed, by (column name, rule).
Warnings = Counter[tuple[str, WarningRule]]


def listed(warnings: Warnings) -> list[dict[str, str | int]]:
    """The same as tasks, manifests and files report it, in a fixed order."""
    return [
        {"column": column, "rule": rule.value, "count": count}
        for (column, rule), count in sorted(warnings.items())
    ]
