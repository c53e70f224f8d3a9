"""Text in cells: whatever it is, Excel shows that and nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.formats.xlsx.cells import CellType, count
from waybill.exporter.formats.xlsx.text_cells import TRUNCATION_MARK, cut_text, one_line, text_cells

#: Pieces that together make most of what could confuse a decoder.
_PIECES = st.sampled_from(
    ["_", "x", "_x", "0041", "005F", "D83D", "\x01", "\r", "\n", "\t", " ", "&", "<", ">", "é"]
)
_TEXTS = st.lists(_PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)).map(
    "".join
)


def _excel_decodes(text: str) -> str:
    """ST_Xstring (ECMA-376 part 1, 22.9.2.19), as a reader works: left to right, once."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda escape: chr(int(escape[1], 16)), text)


def _shown(values: list[str | None]) -> list[str | None]:
    (cells,) = text_cells(pa.array(values, pa.string()), lambda rule, count: None)
    opening, closing = cells.cell_type.value
    shown: list[str | None] = []
    for value in cells.values:
        if value is None:
            shown.append(None)
            continue
        cell = ET.fromstring(f"<c{opening}{value}{closing}")  # noqa: S314  our own text
        text = "".join(cell.itertext())
        keeps_blanks = cells.cell_type is CellType.SPACED_TEXT
        shown.append(_excel_decodes(text if keeps_blanks else text.strip(" \t\r\n")))
    return shown


@given(st.lists(st.none() | _TEXTS, max_size=5))
def test_any_text_survives_xml_and_excels_decoding(values: list[str | None]) -> None:
    assert _shown(values) == values


@pytest.mark.parametrize("offset", [0, 1, 3])
def test_a_slice_of_an_array_is_scanned_by_its_own_values(offset: int) -> None:
    values = ["<", " blank ", "_x0041_", "plain", None, "\x02"]
    array = pa.array(values, pa.string()).slice(offset)
    (cells,) = text_cells(array, lambda rule, count: None)
    assert len(cells.values) == len(values) - offset
    (whole,) = text_cells(pa.array(values), lambda rule, count: None)
    assert cells.values.to_list() == whole.values.to_list()[offset:]


def test_plain_columns_are_written_as_they_are() -> None:
    (cells,) = text_cells(pa.array(["plain", "北京", None, ""]), lambda rule, count: None)
    assert cells.cell_type is CellType.TEXT
    assert cells.values.to_list() == ["plain", "北京", None, ""]


def test_blanks_that_count_are_preserved_by_an_attribute() -> None:
    (cells,) = text_cells(pa.array(["a", " b"]), lambda rule, count: None)
    assert cells.cell_type is CellType.SPACED_TEXT


@pytest.mark.parametrize("char", ["x", "é", "語", "😀", "\x01", "&"])
def test_no_text_exceeds_the_limit_in_utf16_units(char: str) -> None:
    cut = cut_text(char * 40_000)
    units = len(cut.encode("utf-16-le")) // 2
    assert 32_766 <= units <= 32_767
    assert cut.endswith(TRUNCATION_MARK)
    assert cut.removesuffix(TRUNCATION_MARK).strip(char) == ""


def test_every_cut_is_counted_and_nothing_else_is() -> None:
    found: dict[str, pl.Series] = {}
    text_cells(pa.array(["x" * 32_768, "語" * 32_767, None, "y" * 50_000]), found.__setitem__)
    assert {rule: count(values) for rule, values in found.items()} == {"truncated_text": 2}


def test_headings_have_one_line_of_printable_text() -> None:
    assert one_line("a\r\nb\x00c\ud800d\tx  y ") == "a b c d x y"
