"""Number cells: numbers that Excel can calculate with where they stay exact, text elsewhere.

Excel keeps 15 digits, and has neither NaN nor infinity (C20–C22) nor numbers below 2.2E-308.
A number is shown with the places it has, whatever the rows before it had (FC15).
"""

from __future__ import annotations

import sys
from dataclasses import replace

import polars as pl
import pyarrow as pa

from waybill.exporter.formats.xlsx.cells import Cells, CellType, Warn, keep
from waybill.exporter.formats.xlsx.limits import MAX_DIGITS
from waybill.exporter.formats.xlsx.text_cells import text_cells
from waybill.exporter.values.bounds import bounds
from waybill.exporter.warning_rules import WarningRule

#: Every integer of smaller magnitude has at most 15 digits.
_BOUND = 10**MAX_DIGITS
#: Polars' decimals end here, and begin at scale 0.
_POLARS_DIGITS = 38

#: Most places of a declared scale that are all shown, trailing zeros included.
MAX_DECLARED_PLACES = 8
#: Most places that a number is shown with; "General" shows the rest, with an exponent.
_MAX_PLACES = 20


def number_format(places: int) -> str:
    """The number format that shows this many places."""
    return f"0.{'0' * places}" if places else "0"


#: "General", then formats of 0, 1, 2 … places: a number has the one of its places + 1.
NUMBERS_BY_PLACES = ("", *(number_format(places) for places in range(_MAX_PLACES + 1)))

#: A number as a database prints it: no zeros in front, which would make it an identifier.
_PLAIN = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
_WITH_EXPONENT = r"^-?[0-9](?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}$"
#: The places of a float without an exponent; one zero stands for none.
_FLOAT_PLACES = r"^-?[0-9]+\.([0-9]*?)0?$"
_NOT_FINITE = r"(?i)^(?:nan|[+-]?inf(?:inity)?)$"
#: A double has at most 17 significant digits.
_DOUBLE_DIGITS = 17
#: Excel cannot hold what is closer to zero.
_SMALLEST = sys.float_info.min
#: Texts of floats that Excel's "General" rounds, though a cell holds all their digits.
_ROUNDED_LENGTHS = (12, MAX_DIGITS + 1)


def boolean_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """TRUE and FALSE."""
    return [Cells(CellType.BOOLEAN, pl.Series(array).cast(pl.UInt8).cast(pl.String))]


def integer_cells(array: pa.Array, warn: Warn, *, rounded: bool = False) -> list[Cells]:
    """Number cells of up to 15 digits; text beyond, or numbers if they may be `rounded`."""
    values = pl.Series(array)
    text = values.cast(pl.String)
    if _is_bounded(values):
        return [Cells(CellType.NUMBER, text)]
    # As floats, since one bound then serves signed and unsigned; they are exact up to 2**53.
    short = values.cast(pl.Float64).abs() < _BOUND
    if rounded:
        warn(WarningRule.NUMBER_ROUNDED, ~short)
        return [Cells(CellType.NUMBER, text)]
    warn(WarningRule.LONG_NUMBER_AS_TEXT, ~short)
    return [Cells(CellType.NUMBER, keep(text, short)), Cells(CellType.TEXT, keep(text, ~short))]


def float_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """The shortest digits that read back as the same float; NaN, infinity, subnormals as text.

    Their number formats are `NUMBERS_BY_PLACES`.
    """
    values = pl.Series(array)
    text = values.cast(pl.String)
    value, length = pl.lit(values), pl.lit(text).str.len_bytes()
    tiny = (value.abs() < _SMALLEST) & (value != 0)
    # One query for all three: a query has a cost of its own, which is most of it here.
    finite, any_tiny, rounded = pl.select(
        value.is_finite().all(),
        tiny.any().alias("tiny"),
        length.is_between(*_ROUNDED_LENGTHS).any().alias("rounded"),
    ).row(0)
    shown_as = _shown_float(text) if rounded else 0
    if finite and not any_tiny:
        return [Cells(CellType.NUMBER, text, shown_as)]
    endless, subnormal = pl.select(~value.is_finite(), tiny.alias("tiny")).get_columns()
    warn(WarningRule.NOT_FINITE_AS_TEXT, endless)
    warn(WarningRule.TINY_NUMBER_AS_TEXT, subnormal)
    normal = ~(endless | subnormal)
    words = keep(text, ~normal).str.replace("inf", "Infinity", literal=True)
    return [
        Cells(CellType.NUMBER, keep(text, normal), shown_as),
        Cells(CellType.TEXT, words),
    ]


def decimal_cells(array: pa.Array, warn: Warn, *, rounded: bool = False) -> list[Cells]:
    """Number cells of up to 15 significant digits, text with every digit beyond.

    Up to `MAX_DECLARED_PLACES` they have one number format, else `NUMBERS_BY_PLACES`.
    """
    kind = array.type
    scale = kind.scale if kind.scale <= MAX_DECLARED_PLACES else None
    if kind.precision > _POLARS_DIGITS or kind.scale < 0:
        texts = [None if value is None else format(value, "f") for value in array.to_pylist()]
        return numeric_text_cells(
            pa.array(texts, pa.large_string()), warn, scale=scale, rounded=rounded
        )
    values = pl.Series(array)
    text = values.cast(pl.String)
    if scale is not None and (kind.precision <= MAX_DIGITS or _is_bounded(values.to_physical())):
        return [Cells(CellType.NUMBER, text)]
    return numeric_text_cells(text.to_arrow(), warn, scale=scale, rounded=rounded)


def numeric_text_cells(
    array: pa.Array, warn: Warn, *, scale: int | None = None, rounded: bool = False
) -> list[Cells]:
    """The same for numbers that come as text, such as PostgreSQL's ``numeric``.

    With a declared `scale` its number format comes first, and then `NUMBERS_BY_PLACES` for the
    values that have more places: a column of text may hold them. What is no number as a database
    prints it is text: ``007``, ``n/a``, ``NaN``.
    """
    text = pl.Series(array)
    plain = text.str.contains(_PLAIN)
    digits = _significant_digits(text)
    short = plain & (digits <= MAX_DIGITS)
    shown_as = _by_places(text) if scale is None else _beyond(text, scale)
    if short.all():
        return [Cells(CellType.NUMBER, text, shown_as)]
    long = plain & ~short
    cells = [Cells(CellType.NUMBER, keep(text, short), shown_as)]
    if rounded and long.any():
        warn(WarningRule.NUMBER_ROUNDED, long)
        cells.append(Cells(CellType.NUMBER, keep(text, long), shown_as))
    else:
        warn(WarningRule.LONG_NUMBER_AS_TEXT, long)
        plain = short
    scientific = keep(text, text.str.contains(_WITH_EXPONENT))
    if scientific.null_count() < len(scientific):
        floats = float_cells(scientific.cast(pl.Float64).to_arrow(), warn)
        cells += [replace(cell, shown_as=cell.shown_as + (scale is not None)) for cell in floats]
        plain |= scientific.is_not_null()
    words = text.str.contains(_NOT_FINITE)
    warn(WarningRule.NOT_FINITE_AS_TEXT, words)
    warn(WarningRule.TYPE_AS_TEXT, ~(plain | long | words))
    return [*cells, *text_cells(keep(text, ~plain).to_arrow(), warn)]


def float_text_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    """The same for doubles that come as text, whose 17 digits a cell holds as a double."""
    text = pl.Series(array)
    doubles = text.str.contains(_PLAIN) & (_significant_digits(text) <= _DOUBLE_DIGITS)
    doubles |= text.str.contains(_WITH_EXPONENT)
    values = keep(text, doubles).cast(pl.Float64, strict=False)
    rest = keep(text, ~doubles).to_arrow()
    return [
        *float_cells(values.to_arrow(), warn),
        *(numeric_text_cells(rest, warn) if rest.null_count < len(rest) else []),
    ]


def _is_bounded(values: pl.Series) -> bool:
    found = bounds(values)
    return found is None or (found[0] > -_BOUND and found[1] < _BOUND)


def _significant_digits(text: pl.Series) -> pl.Series:
    """How many digits a plain decimal needs; zeros at the end of a fraction do not count."""
    lengths = text.str.len_bytes()
    if (lengths <= MAX_DIGITS).all():
        return lengths
    return pl.select(
        pl.when(text.str.contains(".", literal=True))
        .then(text.str.strip_chars_end("0"))
        .otherwise(text)
        .str.replace_all(r"[-.]", "")
        .str.strip_chars_start("0")
        .str.len_bytes()
    ).to_series()


def _by_places(text: pl.Series) -> int | pl.Series:
    """Which of `NUMBERS_BY_PLACES` shows each of these decimals as it is."""
    point = text.str.find(".", literal=True)
    if point.null_count() == len(point):
        return 1
    places = _places(text, point)
    long = places > MAX_DECLARED_PLACES
    if long.any():
        needed = _places(text.str.strip_chars_end("0"), point)
        places = pl.select(pl.when(long).then(needed).otherwise(places)).to_series()
    return pl.select(pl.when(places <= _MAX_PLACES).then(places + 1).otherwise(0)).to_series()


def _beyond(text: pl.Series, scale: int) -> int | pl.Series:
    """0 for each decimal of up to `scale` places; for others, `_by_places` behind that one."""
    point = text.str.find(".", literal=True)
    if not (_places(text, point) > scale).any():
        return 0
    needed = _places(text.str.strip_chars_end("0"), point)
    return pl.select(
        pl.when(needed <= scale).then(0).when(needed <= _MAX_PLACES).then(needed + 2).otherwise(1)
    ).to_series()


def _places(text: pl.Series, point: pl.Series) -> pl.Series:
    return (text.str.len_bytes().cast(pl.Int64) - point - 1).fill_null(0)


def _shown_float(text: pl.Series) -> pl.Series:
    """`_by_places` for the floats that "General" would round and a cell has room for."""
    every = pl.lit(text)
    rows = pl.select(every.str.len_bytes().is_between(*_ROUNDED_LENGTHS).arg_true()).to_series()
    # Few of a column's rows, as a rule: doubles that were computed have more digits.
    digits = every.gather(rows).str.extract(_FLOAT_PLACES).str.len_bytes()
    places = pl.select((digits + 1).fill_null(0)).to_series()
    return pl.zeros(len(text), pl.UInt32, eager=True).scatter(rows, places)
