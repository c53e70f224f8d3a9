"""Layout of a file: title, columns, time zone, and hooks into the workbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from waybill.exporter.datasets.masks import Mask
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.template import Template
from waybill.exporter.datasets.texts import DEFAULT_LANGUAGE, Text, text_in
from waybill.exporter.datasets.watermark import Watermark

#: ``decorate(workbook, worksheets)`` adds to an XLSX file what XlsxWriter can: conditional
#: formats, validation, charts, sheets of its own. The objects are XlsxWriter's; the rows are
#: not in them. `worksheets` are the data sheets so far. Counted from 0 as XlsxWriter does, the
#: headings are in row ``worksheet.header_row``, which is 0 unless the dataset has groups of
#: columns or rows above; the ``worksheet.data_rows`` rows follow, and totals go to the row
#: ``header_row + data_rows + 1``, formulas with their value. It is called for several designs,
#: with counts that grow from 0, and must do the same each time: nothing above or between the
#: rows may depend on the counts.
Decorate = Callable[[Any, Sequence[Any]], None]

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is shown. What is left out follows from the column's type."""

    #: Header text, in one language or several; the column's own name when None.
    label: Text | None = None
    #: An Excel number format such as ``#,##0.00``.
    number_format: str | None = None
    #: Width in characters of the default font.
    width: float | None = None
    #: Write every value as text, so a column of identifiers never mixes types.
    as_text: bool = False
    #: Numbers of more than the 15 digits that Excel keeps are ``exact`` as text, which no sum
    #: counts, or by choice a ``float`` to calculate with, rounded and counted as a warning.
    number: Literal["exact", "float"] = "exact"
    #: What the column holds, for people who choose columns.
    help: Text = field(default="", kw_only=True)
    #: Texts in place of values, in XLSX and CSV: ``{1: "Paid"}``, also in several languages.
    values: Mapping[Any, Text] = field(default_factory=dict, kw_only=True)
    #: A heading above this and neighbours of the same group, in XLSX: one cell over all of them.
    group: Text = field(default="", kw_only=True)
    #: What others than `roles` see of each value. Without roles, that is everybody.
    mask: Mask | None = field(default=None, kw_only=True)
    #: Who sees the column, and in full; empty: everybody. Without a `mask` it does not exist for
    #: others: not in a file, a preview, a list of columns, an order, or a filter of its name.
    roles: Set[str] = field(default=frozenset(), kw_only=True)
    #: The label is the request's own, and so the column's name in JSON Lines and Parquet as well.
    renamed: bool = field(default=False, kw_only=True)

    def is_open_to(self, user: Principal) -> bool:
        """Whether `user` sees it in full."""
        return bool(self.roles & user.roles) if self.roles else self.mask is None

    def is_hidden_from(self, user: Principal) -> bool:
        """Whether there is no such column for `user`."""
        return self.mask is None and not self.is_open_to(user)

    def seen_by(self, user: Principal, language: str, *, labels_values: bool = True) -> Column:
        """The column as `user` sees it, its texts in `language`, and its mask only if it applies.

        Without `labels_values`, for formats that programs read, values stay what they are.
        """
        is_open = self.is_open_to(user)
        values = {key: text_in(text, language) for key, text in self.values.items()}
        return replace(
            self,
            label=text_in(self.label, language) or None,
            help=text_in(self.help, language),
            group=text_in(self.group, language),
            values=values if is_open and labels_values else {},
            mask=None if is_open else self.mask,
            roles=frozenset(),
        )

    @property
    def is_translated(self) -> bool:
        """Whether any of its texts is in several languages."""
        texts = (self.label, self.help, self.group, *self.values.values())
        return any(isinstance(text, Mapping) for text in texts)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file presents its rows, and what it says about them."""

    title: str = "Export"
    columns: Mapping[str, Column] = field(default_factory=dict)
    #: Names of columns that the reader may not know of. They are left out wherever they come from.
    hidden: Set[str] = frozenset()
    #: The zone in which aware timestamps are shown where a format cannot carry one.
    timezone: ZoneInfo = UTC
    #: Split the rows into one sheet for each value of this column. Order the query by it: rows
    #: out of order wait in memory, compressed, and only 64 MiB of them can.
    sheet_by: str | None = None
    decorate: Decorate | None = None
    #: Rows that each sheet keeps free above its headings, for what `decorate` writes there.
    rows_above: int = 0
    #: What the first of those rows look like.
    template: Template | None = None
    #: Lines (label, value) of the "About this export" sheet; empty leaves it out.
    about: Sequence[tuple[str, str]] = ()
    #: Code of the language of what the file says about itself.
    language: str = DEFAULT_LANGUAGE
    #: The line that names its reader, in formats that have a place for it.
    watermark: Watermark | None = None
    #: Whether XLSX sheets have a row for it, below `rows_above`.
    watermark_row: bool = False
    #: When the rows were read, for formats that record it. `run_export` fills it in.
    snapshot_at: datetime | None = None
    #: How many rows there are, if the source counted them. `run_export` fills it in.
    rows_expected: int | None = None

    @property
    def watermark_text(self) -> str:
        """The watermark as the file has it; empty without one."""
        return self.watermark.text(self.snapshot_at, self.timezone) if self.watermark else ""

    def column(self, name: str) -> Column:
        """The settings of the column called `name`, or the defaults."""
        return self.columns.get(name, Column())

    def label(self, name: str) -> str:
        """The header text of the column called `name`."""
        return text_in(self.column(name).label, DEFAULT_LANGUAGE) or name

    def zoned_label(self, name: str) -> str:
        """That of a column of moments where they are shown without one: it names the zone."""
        return f"{self.label(name)} ({self.timezone.key})"

    def key(self, name: str) -> str:
        """The name of that column for programs: its own, unless the request renames it."""
        return self.label(name) if self.column(name).renamed else name
