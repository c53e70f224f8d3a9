"""File names in headers: number N9 of the hostile names."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.storage.disposition import content_disposition
from waybill.storage.errors import InvalidFilename

KEY = "exports/tenant/task/1-2.xlsx"
#: The beginning of the SHA-256 of that key.
TAG = "7f24cb11"
HEADER = re.compile(
    r"attachment; filename=\"(?P<fallback>[^\"\\%;]+)\"; filename\*=UTF-8''(?P<exact>[!-~]+)"
)


@pytest.mark.parametrize(
    ("filename", "fallback", "exact"),
    [
        ("orders.xlsx", "orders.xlsx", "orders.xlsx"),
        ("导出 2026.xlsx", f"__ 2026-{TAG}.xlsx", "%E5%AF%BC%E5%87%BA%202026.xlsx"),
        ("订单.csv.gz", f"export-{TAG}.csv.gz", "%E8%AE%A2%E5%8D%95.csv.gz"),
        ("Übersicht Ä.xlsx", "Ubersicht A.xlsx", "%C3%9Cbersicht%20%C3%84.xlsx"),
        ("Straße", f"Stra_e-{TAG}", "Stra%C3%9Fe"),
        ("résumé.csv", "resume.csv", "r%C3%A9sum%C3%A9.csv"),
        ('say "hi"; 50%.csv', "say _hi__ 50_.csv", "say%20%22hi%22%3B%2050%25.csv"),
        ("🎉.zip", f"export-{TAG}.zip", "%F0%9F%8E%89.zip"),
        ("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
        ("C:\\x.csv", "C:_x.csv", "C%3A_x.csv"),
        ("it's (1)*.csv", "it's (1)*.csv", "it%27s%20%281%29%2A.csv"),
    ],
)
def test_n9_a_name_is_exact_for_new_clients_and_readable_for_old_ones(
    filename: str, fallback: str, exact: str
) -> None:
    expected = f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}"
    assert content_disposition(filename, KEY) == expected


@pytest.mark.parametrize(
    "filename", ["", "a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\x85b", "half\ud800"]
)
def test_n9_names_that_could_end_the_header_are_refused(filename: str) -> None:
    with pytest.raises(InvalidFilename):
        content_disposition(filename, KEY)


@given(st.text(min_size=1))
def test_n9_any_name_gives_one_ascii_header_or_none(filename: str) -> None:
    try:
        header = HEADER.fullmatch(content_disposition(filename, KEY))
    except InvalidFilename:
        return
    assert header is not None
    assert header["fallback"].isascii()
    assert unquote(header["exact"]) == filename.replace("/", "_").replace("\\", "_")


def test_fc45_plain_names_that_lose_letters_differ_from_file_to_file() -> None:
    names = [("订单.xlsx", "a"), ("売上.xlsx", "b"), ("订单.xlsx", "c"), ("Übersicht.xlsx", "d")]
    headers = [HEADER.fullmatch(content_disposition(name, key)) for name, key in names]
    assert len({header["fallback"] for header in headers if header}) == 4
