"""Texts about fields and sharing, in English: lists, periods, values from the data, CSV, mails."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH_FIELDS: Mapping[str, str] = {
    "list_count": "{count} values",
    "list_count_one": "{count} value",
    "list_more": "{values} and {count} more",
    "list_twice": "More than once: {values}",
    "list_unique": "Remove duplicates",
    "list_file": "Add from a file…",
    "list_file_of": "File with values for {label}",
    "list_too_large": "This file is larger than 5 MB.",
    "range_label": "Period",
    "range_any": "Any time",
    "range_own": "Own dates",
    "range_backwards": "The last day is before the first",
    "period_this_year": "This year",
    "choices_alike": "No row has “{value}”. Did you mean",
    "choices_none": "No row has “{value}”.",
    "csv_more": "More CSV options",
    "csv_as_style": "As the style",
    "csv_delimiter": "Delimiter",
    "csv_delimiter_1": "Comma",
    "csv_delimiter_2": "Semicolon",
    "csv_delimiter_3": "Tab",
    "csv_delimiter_4": "Vertical bar",
    "csv_decimal": "Decimal sign",
    "csv_decimal_1": "Point",
    "csv_decimal_2": "Comma",
    "csv_bom": "Byte order mark",
    "csv_bom_1": "With",
    "csv_bom_2": "Without",
    "csv_bom_help": "Excel needs the mark to show accents and Chinese; some programs reject it.",
    "csv_same_signs": "The delimiter is the decimal sign. Choose another of them",
    # Sharing by mail.
    "share_to": "Mail the link to",
    "share_send": "Send",
    "share_sent": "The link is on its way to {address}.",
    "link_to": "mailed to {address}",
    "bad_email": "Enter a mail address",
    "shared_title": "Shared with me",
    "shared_who": "shared by {user} {time}",
    "shared_until": "until {time}",
}
