"""Cells of one column as XML of a sheet, before they are joined to rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import polars as pl
import pyarrow as pa

from waybill.exporter.warning_rules import WarningRule

#: ``warn(rule, values)``: those for which this is true had to be changed.
Warn = Callable[[WarningRule, pl.Series], None]


class CellType(Enum):
    """The XML of a cell around its value: the end of its start tag, and what follows.

    None of them holds a formula, so no text can ever become one.
    """

    NUMBER = ("><v>", "</v></c>")
    BOOLEAN = (' t="b"><v>', "</v></c>")
    TEXT = (' t="inlineStr"><is><t>', "</t></is></c>")
    #: Text whose outer blanks and line breaks count (XML 1.0 §2.10).
    SPACED_TEXT = (' t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>")


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one type: the XML of a value in rows that have such a cell, else null."""

    cell_type: CellType
    values: pl.Series
    #: Which of the column's number formats they have: one for all, or one for each row.
    shown_as: int | pl.Series = 0
    #: For `CellType.SPACED_TEXT`: which of the values need it. A column in which one does has it.
    spaced: Callable[[], pl.Series] | None = None


@dataclass(frozen=True, slots=True)
class CellFormat:
    """How the values of one column become cells."""

    #: The cells of an array by cell type; each row has a value in at most one of them. What a
    #: value becomes depends on no other value.
    cells: Callable[[pa.Array, Warn], list[Cells]]
    #: Excel number formats, "General" where empty: first that of the column, then those of cells
    #: whose value it would not show in full.
    number_formats: tuple[str, ...] = ("",)
    #: Where the heading stands, and where the values do if they have a number format.
    align: Literal["left", "center", "right"] = "left"
    #: Width in characters; None if the first rows decide.
    width: float | None = None
    #: Whether the column was declared as text, so that text in it is no exception.
    is_text: bool = False


def keep(values: pl.Series, mask: pl.Series) -> pl.Series:
    """`values` where `mask` is true, null elsewhere."""
    return pl.select(pl.when(mask).then(values)).to_series()


def count(mask: pl.Series) -> int:
    """How many rows `mask` is true for."""
    return int(mask.sum())
