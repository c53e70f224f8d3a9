"""Templates: the sheet of a company's own workbook that the sheets of a dataset begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TemplateCell:
    """One cell. Rows and columns count from 0."""

    row: int
    column: int
    #: Text, number, boolean, date, or None for a cell that is only coloured.
    value: Any
    #: How it looks, in the terms of XlsxWriter's formats.
    look: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TemplatePicture:
    """A picture, its upper left corner `x` and `y` pixels into a cell. Sizes are in pixels."""

    row: int
    column: int
    x: float
    y: float
    width: float
    height: float
    data: bytes = field(repr=False)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """The first sheet of a workbook, read once. `Template.of` reads it."""

    #: How many rows it has, pictures included.
    rows: int
    cells: tuple[TemplateCell, ...] = field(repr=False)
    #: First row, first column, last row, last column.
    merged: tuple[tuple[int, int, int, int], ...]
    #: Of rows, in points.
    heights: Mapping[int, float]
    #: Of columns, in characters.
    widths: Mapping[int, float]
    pictures: tuple[TemplatePicture, ...]
    #: Differs between files that differ.
    digest: str

    @classmethod
    def of(cls, given: str | Path | Template | None) -> Template | None:
        """The template in the XLSX file `given`; None for none.

        Raises:
            ValueError: the file cannot be read, or holds what a template cannot have; the message
                names the file and the cell.
        """
        if given is None or isinstance(given, Template):
            return given
        # Only here: its reader is an extra.
        from waybill.exporter.datasets.template_reader import read_template

        return read_template(Path(given))
