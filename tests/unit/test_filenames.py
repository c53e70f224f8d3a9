"""N7 to N10 of the hostile-input corpus: names of files and of archive entries."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.errors import InvalidRequest
from waybill.exporter.filenames import (
    MAX_BYTES,
    check_pattern,
    part_filename,
    render_filename,
    safe_filename,
    with_filters,
)

TODAY = date(2026, 1, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # N7: a path is cut down to its last component.
        ("../../etc/x", "x"),
        ("..\\x", "x"),
        ("/etc/passwd", "passwd"),
        ("C:\\x", "x"),
        ("C:x", "C_x"),
        ("a/b", "b"),
        ("a/", "a"),
        ("a\0b", "ab"),
        ("..", "export"),
        ("", "export"),
        ("///", "export"),
        (".csv", "export.csv"),
        # N8: names Windows keeps for devices, trailing dots and blanks.
        ("CON.csv", "CON_.csv"),
        ("nul", "nul_"),
        ("com1.tar.gz", "com1_.tar.gz"),
        ("LPT¹", "LPT¹_"),
        ("con .txt", "con_.txt"),
        ("console.txt", "console.txt"),
        ("name. . ", "name"),
        # N9: letters of any script stay; what turns the reading direction goes.
        ("导出 2026.xlsx", "导出 2026.xlsx"),
        ("😀;'.csv", "😀;'.csv"),
        ('say "hi"?.csv', "say _hi__.csv"),
        ("abc\u202efdp.exe", "abcfdp.exe"),
        ("e\u0301.csv", "é.csv"),
        ("\ud800x", "x"),
    ],
)
def test_hostile_names_become_safe_ones(text: str, expected: str):
    assert safe_filename(text) == expected


@pytest.mark.parametrize("text", ["a\nb", "a\r\nSet-Cookie: x", "\n"])
def test_a_line_break_is_refused(text: str):
    with pytest.raises(InvalidRequest, match="line break"):
        safe_filename(text)


@pytest.mark.parametrize("letter", ["a", "é", "出", "😀"])
@pytest.mark.parametrize("extension", [".csv", ".csv.gz", ""])
def test_a_long_name_is_cut_between_characters_and_keeps_its_extension(letter, extension):
    name = safe_filename(letter * 300 + extension)
    assert MAX_BYTES - 3 <= len(name.encode()) <= MAX_BYTES
    assert name.endswith(letter + extension)


@given(st.text(st.characters()))
def test_safe_names_are_safe_and_stay_as_they_are(text: str):
    if "\r" in text or "\n" in text:
        return
    name = safe_filename(text)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not set(name) & set('/\\<>:"|?*')
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    assert name not in (".", "..")
    assert not name.endswith((".", " "))
    assert safe_filename(name) == name


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{name}-{today}", "orders-2026-01-02.csv.gz"),
        ("{name}.CSV.GZ", "orders.CSV.GZ"),
        ("{{literal}} {name}", "{literal} orders.csv.gz"),
        ("报表", "报表.csv.gz"),
    ],
)
def test_a_pattern_is_filled_in_and_gets_the_extension_once(pattern: str, expected: str):
    assert render_filename(pattern, name="orders", today=TODAY, extension="csv.gz") == expected


@pytest.mark.parametrize(
    ("pattern", "filters", "expected"),
    [
        ("{name}-{today}", "Berlin", "orders-2026-01-02.csv"),
        ("{name}-{filters}-{today}", "Berlin", "orders-Berlin-2026-01-02.csv"),
        ("{name}-{filters}-{today}", "", "orders-2026-01-02.csv"),
        ("{filters}", "", "orders.csv"),
    ],
)
def test_filters_stand_where_the_pattern_has_them(pattern: str, filters: str, expected: str):
    name = render_filename(pattern, name="orders", today=TODAY, extension="csv", filters=filters)

    assert name == expected


@pytest.mark.parametrize(
    ("pattern", "expected"), [("x-{today}", "x-{today}-{filters}"), ("{filters} x", "{filters} x")]
)
def test_a_default_name_has_a_place_for_the_filters(pattern: str, expected: str):
    assert with_filters(pattern) == expected


def test_braces_in_the_name_are_not_filled_in():
    assert render_filename("{name}", name="{today}", today=TODAY, extension="csv") == "{today}.csv"


@pytest.mark.parametrize(
    "pattern", ["{user}", "{}", "{0}", "{name.__class__}", "{name!r}", "{name:>99}", "{", "a}"]
)
def test_unknown_placeholders_are_refused_at_declaration(pattern: str):
    with pytest.raises(InvalidRequest, match="file name"):
        check_pattern(pattern)
    with pytest.raises(InvalidRequest, match="file name"):
        render_filename(pattern, name="orders", today=TODAY, extension="csv")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Orders", "Orders-00007.csv"),
        ("Orders 1/2\n2026", "Orders 1 2 2026-00007.csv"),
        ("../..", "export-00007.csv"),
        ("con", "con_-00007.csv"),
        ("出" * 300, "出" * 63 + "-00007.csv"),
    ],
)
def test_parts_are_numbered_behind_a_safe_title(title: str, expected: str):
    assert part_filename(title, 7, "csv") == expected
