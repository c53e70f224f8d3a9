"""Placement: which row goes on which sheet, decided before anything is rendered.

Cells carry their row number, so a block can be rendered on any thread once its place is
known. Decisions depend on the rows alone and never on how fast a thread was, so the same
rows give the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport, InvalidRequest, LimitExceeded
from waybill.exporter.formats.xlsx.cell_formats import exact_texts
from waybill.exporter.formats.xlsx.limits import MAX_DATA_ROWS, MAX_SHEET_BYTES, MAX_SHEETS
from waybill.exporter.formats.xlsx.sheet_names import SheetNames
from waybill.exporter.rows.batch_cuts import Cut

#: Excel's number of the first row below the header, where nothing is above that.
FIRST_DATA_ROW = 2
#: The size of a cut counts once this many more cuts have been placed. A fixed lag, longer than
#: any pool of threads, makes the end of an overlong sheet the same on every machine.
SETTLE_LAG = 16

_NULL_NAME, _BLANK_NAME = "(empty)", "(blank)"
#: PyArrow 26 cannot pick rows of the types on the left.
_TAKEABLE = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


@dataclass(eq=False, slots=True)
class Sheet:
    """One sheet that rows are placed on."""

    name: str
    #: Data rows placed so far; they are written a little later.
    placed_rows: int = 0
    #: Length of the XML of its rows, as far as it has settled.
    settled_bytes: int = 0
    #: The number of the table whose rows it has.
    table: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive rows of a cut on one sheet."""

    sheet: Sheet
    rows: int
    #: Excel's number of the first of them.
    first_row: int
    #: The sheet that is full and which this one continues.
    follows: Sheet | None


@dataclass(frozen=True, slots=True)
class PlacedCut:
    """Rows, and where each of them belongs."""

    cut: Cut
    pieces: tuple[Piece, ...]
    #: The numbers of the cut's rows in the order of the pieces; None if that is their own.
    order: pl.Series | None = None

    def open(self) -> list[pa.Array]:
        """The columns in the order of the pieces, checked; see `Cut.open`."""
        # All columns at once takes half the time of one by one, which counts where there are many.
        [batch] = self.cut.open().combine_chunks().to_batches()
        arrays: list[pa.Array] = batch.columns
        return arrays if self.order is None else _reorder(arrays, self.order)


class Placement:
    """Places cuts one after the other. One for each table of a file."""

    def __init__(
        self,
        schema: pa.Schema,
        layout: Layout,
        names: SheetNames,
        *,
        max_rows: int | None = None,
        max_bytes: int = MAX_SHEET_BYTES,
        table: int = 0,
        others: int = 0,
        first_row: int = FIRST_DATA_ROW,
    ) -> None:
        """With `layout.sheet_by`, each value of that column gets sheets of its own.

        `table` is the number of the table in its workbook, which has `others` sheets before, and
        `first_row` Excel's number of the first row of each of its sheets.

        Raises:
            InvalidRequest: there is no such column.
        """
        if layout.sheet_by is not None and layout.sheet_by not in schema.names:
            raise InvalidRequest(f"There is no column {layout.sheet_by!r} to make sheets by.")
        self._title = layout.title
        self._zone = layout.timezone
        self._key = None if layout.sheet_by is None else schema.names.index(layout.sheet_by)
        self._names = names
        most = MAX_DATA_ROWS - (first_row - FIRST_DATA_ROW)
        self._max_rows, self._max_bytes = max_rows or most, max_bytes
        self._first_row = first_row
        self._table, self._others = table, others
        self._newest: dict[str | None, Sheet] = {}
        self._sizes: deque[Sequence[int]] = deque()
        self._unsettled: deque[tuple[Piece, ...]] = deque()
        #: Every sheet there is, in the order of the workbook's tabs.
        self.sheets: list[Sheet] = []

    def place(self, cuts: Iterable[Cut]) -> Iterator[PlacedCut]:
        """Yield each cut with the places of its rows."""
        for cut in cuts:
            if len(self._unsettled) == SETTLE_LAG:
                self._settle_oldest()
            placed = self._place(cut)
            self._unsettled.append(placed.pieces)
            yield placed

    def record(self, xml_bytes: Sequence[int]) -> None:
        """Record the size in bytes of each piece of the next cut in order."""
        self._sizes.append(xml_bytes)

    def go_on(self, rows: int, *, settled: int = 0, unsettled: Sequence[int] = ()) -> Sheet:
        """The first sheet, where another process has placed `rows` rows on it.

        `unsettled` are the sizes of the last cuts, and `settled` that of all before.
        """
        sheet = self._add_sheet(self._title)
        sheet.placed_rows, sheet.settled_bytes = rows, settled
        self._newest[None] = sheet
        for size in unsettled:
            self._unsettled.append((Piece(sheet, 0, 0, None),))
            self._sizes.append((size,))
        return sheet

    def ensure_sheet(self) -> None:
        """A table has a sheet, even if there was no row."""
        if not self.sheets:
            self._add_sheet(self._title)

    def _settle_oldest(self) -> None:
        for piece, size in zip(self._unsettled.popleft(), self._sizes.popleft(), strict=True):
            piece.sheet.settled_bytes += size

    def _place(self, cut: Cut) -> PlacedCut:
        if self._key is None:
            return PlacedCut(cut, tuple(self._pieces(None, self._title, cut.rows)))
        keys = exact_texts(cut.column(self._key), self._zone)
        groups = _row_numbers(keys)
        order = groups["row"].explode()
        pieces = (
            piece
            for key, rows in groups.iter_rows()
            for piece in self._pieces(key, _sheet_name(key), len(rows))
        )
        return PlacedCut(cut, tuple(pieces), None if order.is_sorted() else order)

    def _pieces(self, key: str | None, name: str, rows: int) -> Iterator[Piece]:
        while rows:
            sheet = self._newest.get(key)
            follows = None
            if sheet is None or self._is_full(sheet):
                follows, sheet = sheet, self._add_sheet(name)
                self._newest[key] = sheet
            count = min(rows, self._max_rows - sheet.placed_rows)
            yield Piece(sheet, count, self._first_row + sheet.placed_rows, follows)
            sheet.placed_rows += count
            rows -= count

    def _is_full(self, sheet: Sheet) -> bool:
        return sheet.placed_rows >= self._max_rows or sheet.settled_bytes >= self._max_bytes

    def _add_sheet(self, name: str) -> Sheet:
        if self._others + len(self.sheets) == MAX_SHEETS:
            raise LimitExceeded(f"The workbook would have more than {MAX_SHEETS:,} sheets.")
        self.sheets.append(Sheet(self._names.claim(name), table=self._table))
        return self.sheets[-1]


def _row_numbers(keys: pl.Series) -> pl.DataFrame:
    """Each key with the numbers of its rows, in the order in which keys appear."""
    frame = pl.DataFrame({"key": keys}).with_row_index("row")
    return frame.group_by("key", maintain_order=True).agg("row")


def _reorder(arrays: Sequence[pa.Array], order: pl.Series) -> list[pa.Array]:
    if not order.n_unique() == len(order) == len(arrays[0]):
        raise IncompleteExport("Rows were lost or repeated when they were sorted into sheets.")
    numbers = order.to_arrow()
    return [
        (array.cast(_TAKEABLE[array.type]) if array.type in _TAKEABLE else array).take(numbers)
        for array in arrays
    ]


def _sheet_name(key: str | None) -> str:
    if key is None:
        return _NULL_NAME
    return key if key.strip() else _BLANK_NAME
