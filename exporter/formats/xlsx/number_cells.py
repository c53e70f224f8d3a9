"""Number cells: numbers that Excel can calculate with where they stay exact, text elsewhere.

Excel keeps 15 digits and has neither NaN nor infinity (C20–C22).
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from waybill.exporter.formats.xlsx.cells import Cells, CellType, Warn, count, keep
from waybill.exporter.formats.xlsx.limits import MAX_DIGITS
from waybill.exporter.formats.xlsx.text_cells import text_cells
from waybill.exporter.warning_rules import WarningRule

#: Every integer of smaller magnitude has at most 15 digits.
_BOUND = 10**MAX_DIGITS
#: Polars' decimals end here, and begin at scale 0.
_POLARS_DIGITS = 38
_PLAIN_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"


def boolean_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """TRUE and FALSE."""
    return [Cells(CellType.BOOLEAN, pl.Series(array).cast(pl.UInt8).cast(pl.String))]


def integer_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Number cells of up to 15 digits, text beyond."""
    values = pl.Series(array)
    text = values.cast(pl.String)
    if _is_bounded(values):
        return [Cells(CellType.NUMBER, text)]
    # As floats, since one bound then serves signed and unsigned; they are exact up to 2**53.
    short = values.cast(pl.Float64).abs() < _BOUND
    warn(WarningRule.LONG_NUMBER_AS_TEXT, count(~short))
    return [Cells(CellType.NUMBER, keep(text, short)), Cells(CellType.TEXT, keep(text, ~short))]


def float_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """The shortest digits that read back as the same float; NaN and infinity as text."""
    values = pl.Series(array)
    text = values.cast(pl.String)
    finite = values.is_finite()
    if finite.all():
        return [Cells(CellType.NUMBER, text)]
    warn(WarningRule.NOT_FINITE_AS_TEXT, count(~finite))
    words = keep(text, ~finite).str.replace("inf", "Infinity", literal=True)
    return [Cells(CellType.NUMBER, keep(text, finite)), Cells(CellType.TEXT, words)]


def decimal_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """Number cells of up to 15 significant digits, text with every digit beyond."""
    kind = array.type
    if kind.precision > _POLARS_DIGITS or kind.scale < 0:
        texts = [None if value is None else format(value, "f") for value in array.to_pylist()]
        return decimal_text_cells(pa.array(texts, pa.large_string()), warn)
    values = pl.Series(array)
    text = values.cast(pl.String)
    if kind.precision <= MAX_DIGITS or _is_bounded(values.to_physical()):
        return [Cells(CellType.NUMBER, text)]
    return decimal_text_cells(text.to_arrow(), warn)


def decimal_text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """The same for decimals that come as text, such as PostgreSQL's ``numeric``."""
    text = pl.Series(array)
    plain = text.str.contains(_PLAIN_DECIMAL)
    short = plain & (_significant_digits(text) <= MAX_DIGITS)
    numbers = Cells(CellType.NUMBER, keep(text, short))
    if short.all():
        return [numbers]
    warn(WarningRule.LONG_NUMBER_AS_TEXT, count(plain & ~short))
    warn(WarningRule.NOT_FINITE_AS_TEXT, count(~plain))
    return [numbers, *text_cells(keep(text, ~short).to_arrow(), warn)]


def _is_bounded(values: pl.Series) -> bool:
    low, high = values.min(), values.max()
    return low is None or (low > -_BOUND and high < _BOUND)


def _significant_digits(text: pl.Series) -> pl.Series:
    """How many digits a plain decimal needs; zeros at the end of a fraction do not count."""
    if (text.str.len_bytes().max() or 0) <= MAX_DIGITS:  # type: ignore[operator]
        return text.str.len_bytes()
    return pl.select(
        pl.when(text.str.contains(".", literal=True))
        .then(text.str.strip_chars_end("0"))
        .otherwise(text)
        .str.replace_all(r"[-.]", "")
        .str.strip_chars_start("0")
        .str.len_bytes()
    ).to_series()
