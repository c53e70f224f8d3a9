"""Text cells: text as inline strings; what XML and Excel read as markup is escaped.

Excel reads ``_xHHHH_`` as the character with that code, which is how control characters get
in (ECMA-376 part 1, §22.9.2.19, ST_Xstring). Text that only looks like such an escape has to
be escaped too. Most columns need none of this, so each is scanned once, bytewise, first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from waybill.exporter.formats.xlsx.cells import Cells, CellType, Warn
from waybill.exporter.formats.xlsx.limits import MAX_TEXT_UNITS
from waybill.exporter.values.bounds import bounds
from waybill.exporter.warning_rules import WarningRule

#: Ends every text that was cut, so that it does not pass as the whole.
TRUNCATION_MARK = "…[truncated]"

#: Characters XML 1.0 forbids, and CR, which XML readers turn into LF. Lone surrogates cannot
#: occur: Arrow's text is valid UTF-8.
_ESCAPED = [*(chr(code) for code in range(0x20) if chr(code) not in "\t\n"), "\ufffe", "\uffff"]
_ESCAPES = {char: f"_x{ord(char):04X}_" for char in _ESCAPED}
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

#: What Excel would decode, and beyond the standard SheetJS (``_X0041_``) and LibreOffice
#: (``_x1B_``, controls of fewer digits). The last ``_`` may be one that an escape brings in, and
#: one look-alike may begin at the end of another: so every ``_x`` of such a text is escaped.
_LOOK_ALIKE = f"_[xX](?:[0-9A-Fa-f]{{4}}|0{{0,2}}[01]?[0-9A-Fa-f])[_{''.join(_ESCAPED)}]"
_PREFIXES = {prefix: f"_x005F{prefix}" for prefix in ("_x", "_X")}

_CONTROLS = r"[\x00-\x1f]"

#: U+FFFE and U+FFFF begin with this byte in UTF-8, and so do U+F000 to U+FFFD.
_LAST_PLANE_BYTE = 0xEF


#: Controls, lone surrogates, and the two non-characters XML forbids.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Traits:
    """Which of the rare cases a column may hold. False is certain, true is a suspicion."""

    controls: bool
    underscores: bool
    noncharacters: bool
    markup: frozenset[str]
    outer_blanks: bool


def text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Inline strings of a text array; empty text is a cell, null is none."""
    array = _cut_long(array.cast(pa.large_string()), warn)
    traits = _scan(array)
    values = pl.Series(array)
    if traits.underscores:
        values = _escape_look_alikes(values)
    replacements = {char: text for char, text in _MARKUP.items() if char in traits.markup}
    if traits.controls or traits.noncharacters:
        replacements |= _ESCAPES
    if replacements:
        values = values.str.replace_many(replacements)
    if not (traits.outer_blanks or traits.controls):
        return [Cells(CellType.TEXT, values)]
    return [Cells(CellType.SPACED_TEXT, values, spaced=partial(_are_spaced, array))]


def one_line(text: str) -> str:
    """`text` for a heading or a title: controls become blanks, and it fits a cell."""
    return cut_text(" ".join(_UNPRINTABLE.sub(" ", text).split()))


def cut_text(text: str) -> str:
    """`text`, or as much of it as fits a cell, ended by the mark; never half a character."""
    head = text[: MAX_TEXT_UNITS + 1].encode("utf-16-le", "replace")
    if len(text) <= MAX_TEXT_UNITS and len(head) <= 2 * MAX_TEXT_UNITS:
        return text
    kept = head[: 2 * (MAX_TEXT_UNITS - len(TRUNCATION_MARK))]
    return kept.decode("utf-16-le", "ignore") + TRUNCATION_MARK


def _cut_long(array: pa.Array, warn: Warn) -> pa.Array:
    # No text has more UTF-16 units than UTF-8 bytes.
    suspects = pc.fill_null(pc.greater(pc.binary_length(array), MAX_TEXT_UNITS), False)
    if not pc.any(suspects).as_py():
        return array
    texts = [cut_text(text) for text in array.filter(suspects).to_pylist()]
    cut = pc.replace_with_mask(array, suspects, pa.array(texts, pa.large_string()))
    warn(WarningRule.TRUNCATED_TEXT, pl.Series(pc.not_equal(array, cut)))
    return cut


def _scan(array: pa.Array) -> _Traits:
    """Look at the bytes of all values at once, whose nulls and borders do not matter here."""
    octets = _octets(array)
    found = bounds(octets)
    if found is None:
        return _Traits(False, False, False, frozenset(), False)
    lowest, highest = found
    return _Traits(
        controls=lowest < 0x20,
        underscores=(octets == ord("_")).any(),
        noncharacters=highest >= _LAST_PLANE_BYTE,
        markup=frozenset(char for char in _MARKUP if (octets == ord(char)).any()),
        outer_blanks=lowest <= 0x20 and _has_outer_blanks(array),
    )


def _octets(array: pa.Array) -> pl.Series:
    """The UTF-8 bytes of a large_string array, without copying them."""
    _, offsets, data = array.buffers()
    if data is None:
        return pl.Series([], dtype=pl.UInt8)
    ends = pa.Array.from_buffers(pa.int64(), len(array) + 1, [None, offsets], offset=array.offset)
    start, stop = ends[0].as_py(), ends[len(array)].as_py()
    return pl.Series(pa.Array.from_buffers(pa.uint8(), stop - start, [None, data], offset=start))


def _has_outer_blanks(array: pa.Array) -> bool:
    trimmed = pc.binary_length(pc.ascii_trim_whitespace(array))
    return bool(pc.any(pc.not_equal(trimmed, pc.binary_length(array))).as_py())


def _are_spaced(array: pa.Array) -> pl.Series:
    """Which texts have outer blanks or line breaks, or controls that are escaped."""
    trimmed = pc.binary_length(pc.ascii_trim_whitespace(array))
    blanks = pl.Series(pc.not_equal(trimmed, pc.binary_length(array)))
    return blanks | pl.Series(array).str.contains(_CONTROLS)


def _escape_look_alikes(values: pl.Series) -> pl.Series:
    suspects = values.str.contains(_LOOK_ALIKE)
    if not suspects.any():
        return values
    escaped = values.str.replace_many(_PREFIXES)
    return pl.select(pl.when(suspects).then(escaped).otherwise(values)).to_series()
