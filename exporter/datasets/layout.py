"""Layout of a file: title, columns, time zone, and hooks into the workbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

#: ``decorate(workbook, worksheets)`` adds to an XLSX file what XlsxWriter can: conditional
#: formats, validation, charts, sheets of its own. The objects are XlsxWriter's; the rows are
#: not in them. `worksheets` are the data sheets so far: the header is row 0, the data rows
#: are 1 to ``worksheet.data_rows``, and totals go to ``data_rows + 1``, formulas with their
#: value. It is called for several designs, with counts that grow from 0, and must do the
#: same each time: nothing above or between the rows may depend on the counts.
Decorate = Callable[[Any, Sequence[Any]], None]

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is shown. What is left out follows from the column's type."""

    #: Header text; the column's own name when None.
    label: str | None = None
    #: An Excel number format such as ``#,##0.00``.
    number_format: str | None = None
    #: Width in characters of the default font.
    width: float | None = None
    #: Write every value as text, so a column of identifiers never mixes types.
    as_text: bool = False
    #: Numbers of more than the 15 digits that Excel keeps are ``exact`` as text, which no sum
    #: counts, or by choice a ``float`` to calculate with, rounded and counted as a warning.
    number: Literal["exact", "float"] = "exact"
    #: The label is the request's own, and so the column's name in JSON Lines and Parquet as well.
    renamed: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file presents its rows, and what it says about them."""

    title: str = "Export"
    columns: Mapping[str, Column] = field(default_factory=dict)
    #: The zone in which aware timestamps are shown where a format cannot carry one.
    timezone: ZoneInfo = UTC
    #: Split the rows into one sheet for each value of this column. Order the query by it: rows
    #: out of order wait in memory, compressed, and only 64 MiB of them can.
    sheet_by: str | None = None
    decorate: Decorate | None = None
    #: Lines (label, value) of the "About this export" sheet; empty leaves it out.
    about: Sequence[tuple[str, str]] = ()
    #: When the rows were read, for formats that record it. `run_export` fills it in.
    snapshot_at: datetime | None = None
    #: How many rows there are, if the source counted them. `run_export` fills it in.
    rows_expected: int | None = None

    def column(self, name: str) -> Column:
        """The settings of the column called `name`, or the defaults."""
        return self.columns.get(name, Column())

    def label(self, name: str) -> str:
        """The header text of the column called `name`."""
        return self.column(name).label or name

    def key(self, name: str) -> str:
        """The name of that column for programs: its own, unless the request renames it."""
        return self.label(name) if self.column(name).renamed else name
