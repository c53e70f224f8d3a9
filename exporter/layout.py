"""How a file should look: columns, title, time zone, and hooks into the workbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

#: `decorate(workbook, worksheets)`: real XlsxWriter objects, called on the empty design.
Decorate = Callable[[Any, Sequence[Any]], None]

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is shown. Everything left out is chosen from the column's type."""

    #: Header text; the column's own name when None.
    label: str | None = None
    #: An Excel number format such as ``#,##0.00``.
    number_format: str | None = None
    #: Width in characters of the default font.
    width: float | None = None
    #: Write every value as text, so a column of identifiers never mixes types.
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The look of one file, independent of its rows."""

    title: str = "Export"
    columns: Mapping[str, Column] = field(default_factory=dict)
    #: The zone in which aware timestamps are shown where a format cannot carry one.
    timezone: ZoneInfo = UTC
    sheet_by: str | None = None
    decorate: Decorate | None = None
    #: Lines (label, value) of the "About this export" sheet; empty leaves it out.
    about: Sequence[tuple[str, str]] = ()

    def column(self, name: str) -> Column:
        """The settings of the column called `name`, or the defaults."""
        return self.columns.get(name, Column())

    def label(self, name: str) -> str:
        """The header text of the column called `name`."""
        return self.column(name).label or name
