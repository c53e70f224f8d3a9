"""XLSX package: the zip archive of a workbook, one sheet after the other, then the other parts.

A zip archive has one entry open at a time. Blocks of the open sheet go straight out; blocks
of others wait, compressed. When the open sheet is full, or 64 MiB are waiting, the oldest
sheets are finished until half of that room is free again. So rows that are ordered by the
column that makes the sheets stream without end, and others do up to those 64 MiB.

The content types come first, where programs look that tell a workbook from any other archive
(FC19). They depend on no row but where a `decorate` hook may add parts for each sheet, and
then on the number of sheets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.zip_stream import ZipStream, fragment_entry
from waybill.exporter.errors import ExportRejected, IncompleteExport, LimitExceeded
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.designer import Design, DesignedSheet, Designer, part_name
from waybill.exporter.formats.xlsx.limits import MAX_HELD_BYTES
from waybill.exporter.formats.xlsx.placement import Piece, Sheet
from waybill.exporter.formats.xlsx.sheet_names import SheetNames
from waybill.exporter.rows.seals import RowOrder
from waybill.exporter.warning_rules import Warnings

#: Written first, since they depend on no row, and in this order: `file` knows a workbook by
#: the names of its first, third and fourth entry. The rest waits until all sheets are known.
FIRST_PARTS = ("_rels/.rels", "docProps/core.xml", "xl/theme/theme1.xml")
_CONTENT_TYPES = "[Content_Types].xml"


@dataclass(eq=False, slots=True)
class _Entry:
    """The package part of one sheet."""

    sheet: Sheet
    number: int
    #: Of the rows that were written.
    order: RowOrder
    rows: int = 0
    held: list[tuple[Piece, Block]] = field(default_factory=list)
    full: bool = False
    #: What was written around the rows; None while it was not.
    prologue: bytes | None = None
    epilogue: bytes | None = None


class Package:
    """Writes one workbook.

    Call `begin`, then for each table `add` in the order of its rows and `end_table`, then `finish`.
    """

    def __init__(
        self, designer: Designer, draft: Design, tally: Tally, *, max_held: int = MAX_HELD_BYTES
    ) -> None:
        """`draft` is a design with a sheet for each table; its styles are those of the rows."""
        self._designer = designer
        self._draft = draft
        self._tally = tally
        self._max_held = max_held
        #: Parts written before any row.
        self._early = {
            name: draft.parts[name]
            for name in ((_CONTENT_TYPES,) if designer.types_are_known else ()) + FIRST_PARTS
        }
        self._zip = ZipStream()
        self._entries: dict[Sheet, _Entry] = {}
        self._open: _Entry | None = None
        self._held_bytes = 0
        #: The design at the end of the last table, and the warnings that its parts may state.
        self._last: tuple[Warnings, Design] | None = None

    def place(self) -> dict[str, Any] | None:
        """What `go_on` has to know, as JSON; None unless all rows are written, on one sheet."""
        entry, open_ = self._open, self._zip.open_entry
        if entry is None or open_ is None or len(self._entries) > 1 or entry.held:
            return None
        checksum = self._zip.checksum
        return {
            "file": [checksum.size_bytes, checksum.crc32],
            "entries": [list(each) for each in self._zip.entries],
            "open": list(open_),
            "rows": entry.rows,
        }

    def go_on(self, place: Mapping[str, Any], sheet: Sheet) -> None:
        """Go on where another process was, on its only sheet. To be called instead of `begin`."""
        done = [fragment_entry(*each) for each in place["entries"]]
        self._zip = ZipStream.behind([(Checksum(*place["file"]), done)])
        self._zip.reopen(fragment_entry(*place["open"]))
        self._open = entry = self._entry(sheet)
        entry.rows = place["rows"]
        entry.order = RowOrder(self._designer.tables[sheet.table].first_row + entry.rows)
        entry.prologue = self._design().frames[0].prologue

    def begin(self) -> Iterator[bytes]:
        """The parts that depend on no row."""
        for name, part in self._early.items():
            yield self._zip.file(name, part)

    def add(self, piece: Piece, block: Block) -> Iterator[bytes]:
        """Write `block`, or hold it until its sheet is written.

        Raises:
            LimitExceeded: its sheet is finished already. Only possible where rows are not
                ordered by the column that makes the sheets, and too many for memory.
        """
        if piece.follows is not None:
            self._entries[piece.follows].full = True
        entry = self._entry(piece.sheet)
        if entry.epilogue is not None:
            raise LimitExceeded(
                f"Rows of sheet {piece.sheet.name!r} came back after too many others. "
                "Order the dataset by the column that makes its sheets."
            )
        entry.rows += piece.rows
        self._check_count(entry.rows)
        if entry is self._open:
            yield self._rows(entry, piece, block)
            return
        entry.held.append((piece, block))
        self._held_bytes += len(block.data)
        if self._open is None or self._open.full or self._held_bytes > self._max_held:
            yield from self._advance()

    def end_table(self, sheets: Sequence[Sheet]) -> Iterator[bytes]:
        """What is left of one table: held rows, and the ends of its `sheets`."""
        for sheet in sheets:
            self._entry(sheet)
        self._check_count(sum(entry.rows for entry in self._entries.values()), exactly=True)
        design = self._design()
        for entry in self._unfinished():
            yield from self._write(entry, design)
            yield self._end(entry, design)
        self._last = self._tally.warnings.copy(), design

    def finish(self) -> Iterator[bytes]:
        """All parts that are no data sheet, and the directory.

        Raises:
            ExportRejected: `decorate` made another design than before.
        """
        if self._last is not None and self._last[0] == self._tally.warnings:
            design = self._last[1]
        else:
            design = self._design()
        self._check(design)
        for name, part in design.parts.items():
            if name not in self._early:
                yield self._zip.file(name, part)
        yield self._zip.finish()
        self._tally.file = self._zip.checksum

    def _entry(self, sheet: Sheet) -> _Entry:
        if sheet not in self._entries:
            order = RowOrder(self._designer.tables[sheet.table].first_row)
            self._entries[sheet] = _Entry(sheet, len(self._entries) + 1, order)
        return self._entries[sheet]

    def _unfinished(self) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.epilogue is None]

    def _design(self) -> Design:
        known = self._designer.rows_of_one_sheet
        sheets = [
            DesignedSheet(
                entry.sheet.name, entry.rows if known is None else known, entry.sheet.table
            )
            for entry in self._entries.values()
        ]
        begun = sheets[-1].table + 1 if sheets else 0
        names = SheetNames([*self._draft.other_sheets, *(sheet.name for sheet in sheets)])
        # Tables to come have a part in the design, and so in the numbers of its styles.
        for number, table in enumerate(self._designer.tables[begun:], begun):
            sheets.append(DesignedSheet(names.claim(table.title), 0, number))
        return self._designer.design(sheets)

    def _check_count(self, rows: int, *, exactly: bool = False) -> None:
        """Check what was promised before the first row, if anything was."""
        promised = self._designer.rows_of_one_sheet
        if promised is None:
            return
        if rows > promised or (exactly and rows < promised):
            raise IncompleteExport(f"The database counted {promised:,} rows; others were read.")
        if len(self._entries) > 1:
            raise LimitExceeded(
                "A sheet with these values would be too large for Excel. "
                "Use the format xlsx.zip, or sheets by a column."
            )

    def _advance(self) -> Iterator[bytes]:
        """Finish sheets, oldest first, until one can stay open."""
        design = self._design()
        for entry in self._unfinished():
            yield from self._write(entry, design)
            if not entry.full and self._held_bytes <= self._max_held // 2:
                return
            yield self._end(entry, design)

    def _write(self, entry: _Entry, design: Design) -> Iterator[bytes]:
        """Open the part of `entry` if it is not open, and write its held blocks."""
        if entry is not self._open:
            frame = design.frames[entry.number - 1]
            if frame.styles != self._draft.frames[entry.sheet.table].styles:
                raise ExportRejected("The decorate hook gave data sheets different formats.")
            entry.prologue = frame.prologue
            self._open = entry
            yield self._zip.open(part_name(entry.number))
            yield self._zip.add(Block.of(frame.prologue))
        held, entry.held = entry.held, []
        for piece, block in held:
            self._held_bytes -= len(block.data)
            yield self._rows(entry, piece, block)

    def _end(self, entry: _Entry, design: Design) -> bytes:
        entry.epilogue = design.frames[entry.number - 1].epilogue
        self._open = None
        return self._zip.add(Block.of(entry.epilogue)) + self._zip.close()

    def _rows(self, entry: _Entry, piece: Piece, block: Block) -> bytes:
        entry.order.follow(piece.first_row, block.rows)
        self._tally.rows += block.rows
        return self._zip.add(block)

    def _check(self, design: Design) -> None:
        """Check that what was written early agrees with the final design."""
        parts_agree = all(design.parts[name] == part for name, part in self._early.items())
        frames_agree = all(
            (entry.prologue, entry.epilogue) == (frame.prologue, frame.epilogue)
            for entry, frame in zip(self._entries.values(), design.frames, strict=True)
        )
        if not (parts_agree and frames_agree):
            raise ExportRejected(
                "The decorate hook made two different designs. It may depend on nothing but "
                "the row count of a sheet, and on that only below and beside the rows."
            )
