"""Workbooks in shards: each shard writes whole sheets, and the directory comes last.

A sheet is one entry of the archive, which refers to nothing before it. So a shard needs to know
no more than how many rows every sheet has; the places of its sheets in the file follow from the
sizes of the shards before, which only the directory states.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from waybill.exporter.blocks.block import Block, padding
from waybill.exporter.blocks.parallel import map_ordered
from waybill.exporter.blocks.zip_stream import ZipStream, fragment_entry
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import ExportRejected, LimitExceeded
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.part_ends import PartEnds
from waybill.exporter.formats.shard_end import Mark, ShardedFile, ShardEnd, ShardsDoNotFit
from waybill.exporter.formats.xlsx.designer import (
    Design,
    DesignedSheet,
    Designer,
    Table,
    part_name,
)
from waybill.exporter.formats.xlsx.encode import MAX_THREADS, cut_blocks
from waybill.exporter.formats.xlsx.limits import (
    BLOCK_BYTES,
    MAX_DATA_ROWS,
    MAX_SHEET_BYTES,
    MAX_SHEETS,
    check_columns,
)
from waybill.exporter.formats.xlsx.package import FIRST_PARTS
from waybill.exporter.formats.xlsx.placement import FIRST_DATA_ROW, Placement, Sheet
from waybill.exporter.formats.xlsx.row_renderer import RowRenderer
from waybill.exporter.formats.xlsx.sheet_columns import (
    SheetColumn,
    plan_columns,
    requested_labels,
    with_widths,
)
from waybill.exporter.formats.xlsx.sheet_names import SheetNames, acceptable
from waybill.exporter.labels import count_renamed
from waybill.exporter.rows.seals import RowOrder


@dataclass(frozen=True, slots=True)
class XlsxShards:
    """A `ShardedEncoding` of workbooks whose sheets are all full but the last."""

    sheet_rows: int = MAX_DATA_ROWS
    sheet_bytes: int = MAX_SHEET_BYTES

    def rows_of_shard(self, wanted: int) -> int:
        """Whole sheets, one at least."""
        return max(1, wanted // self.sheet_rows) * self.sheet_rows

    def prepare(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout
    ) -> dict[str, Any]:
        """The widths of the columns, which the first rows decide."""
        check_columns(schema)
        first = next(cut_blocks(schema, batches), None)
        sample = first.open() if first is not None else schema.empty_table()
        return {"widths": [column.width for column in plan_columns(schema, layout, sample)]}

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
        *,
        file: ShardedFile,
        number: int,
        least_bytes: int,
        begin: Mark | None = None,
    ) -> Generator[bytes | Mark, None, ShardEnd]:
        """Yield the sheets of one shard; see `ShardedEncoding`.

        Raises:
            ShardsDoNotFit: a sheet of these values is too large for Excel.
            IncompleteExport: rows were lost, repeated, swapped or changed on their way.
        """
        columns, design = self._design(schema, layout, file)
        ends = PartEnds.of(file, number, least_bytes, begin)
        placement = Placement(schema, layout, SheetNames(), max_rows=self.sheet_rows)
        first_sheet = number * file.rows_of_shard // self.sheet_rows
        if begin is not None:
            sheets = _Sheets.behind(begin, design, placement)
            tally.go_on(begin.so_far.rows, begin.so_far.warnings)
        else:
            sheets = _Sheets(ZipStream(), design, first_sheet)
            if number == 0:
                labels = [column.label for column in columns]
                tally.warnings.update(count_renamed(requested_labels(schema, layout), labels))
                for name in _EARLY_PARTS:
                    yield sheets.archive.file(name, design.parts[name])
        render = RowRenderer(
            columns, [design.frames[0].styles[column.letters] for column in columns]
        )
        order = RowOrder()
        blocks = map_ordered(
            render,
            placement.place(cut_blocks(schema, batches)),
            threads=min(os.cpu_count() or 1, MAX_THREADS),
            is_large=lambda one: one.cut.exceeds(BLOCK_BYTES),
        )
        with closing(blocks) as rendered:
            for cut in rendered:
                order.follow(cut.first_row, sum(block.rows for _, block in cut.blocks))
                tally.warnings.update(cut.warnings)
                placement.record([block.raw.size_bytes for _, block in cut.blocks])
                for piece, block in cut.blocks:
                    yield from sheets.add(piece.sheet, piece.first_row, block)
                    tally.rows += block.rows
                    if sheets.raw_bytes > self.sheet_bytes:
                        raise ShardsDoNotFit(
                            "A sheet of these rows would be too large, and they are planned by"
                            " number."
                        )
                if ends.is_end(sheets.archive.checksum.size_bytes, tally.rows):
                    yield Mark(sheets.so_far(tally), sheets.open())
        yield sheets.end(ends)
        tally.file = sheets.archive.checksum
        return sheets.so_far(tally)

    def end(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile, shards: Sequence[ShardEnd]
    ) -> bytes:
        """All parts but the sheets, and the directory."""
        _, design = self._design(schema, layout, file)
        archive = ZipStream.behind((shard.file, shard.entries) for shard in shards)
        late = [
            archive.file(name, part)
            for name, part in design.parts.items()
            if name not in _EARLY_PARTS
        ]
        return b"".join([*late, archive.finish()])

    def _design(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile
    ) -> tuple[tuple[SheetColumn, ...], Design]:
        """The whole workbook, the same in every shard."""
        if layout.about or layout.decorate is not None:
            raise ExportRejected("A workbook with a sheet of its own is written as one.")
        planned = plan_columns(schema, layout, schema.empty_table())
        columns = with_widths(planned, file.notes["widths"])
        count = max(1, -(-file.rows // self.sheet_rows))
        if count > MAX_SHEETS:
            raise LimitExceeded(f"The workbook would have more than {MAX_SHEETS:,} sheets.")
        names = SheetNames()
        last = file.rows - (count - 1) * self.sheet_rows
        rows = [self.sheet_rows] * (count - 1) + [last]
        designer = Designer([Table(columns)], layout, Tally())
        return columns, designer.design(
            [DesignedSheet(names.claim(acceptable(layout.title)), each) for each in rows]
        )


_EARLY_PARTS = ("[Content_Types].xml", *FIRST_PARTS)


class _Sheets:
    """Writes the sheets of one shard, one after the other."""

    def __init__(self, archive: ZipStream, design: Design, first: int) -> None:
        """`first` is the number of the first of them in the workbook, from 0 on."""
        self.archive = archive
        self._design = design
        self._next = first
        self._open: Sheet | None = None
        #: Rows of the open sheet.
        self._rows = 0
        self._order = RowOrder()

    @classmethod
    def behind(cls, begin: Mark, design: Design, placement: Placement) -> _Sheets:
        """Go on in the sheet that was open at `begin`, on which `placement` goes on as well."""
        archive = ZipStream.behind([(begin.so_far.file, begin.so_far.entries)])
        archive.reopen(fragment_entry(*begin.open["entry"]))
        sheets = cls(archive, design, begin.open["sheet"])
        sheets._rows = begin.open["rows"]
        sheets._open = placement.go_on(sheets._rows)
        sheets._order = RowOrder(FIRST_DATA_ROW + sheets._rows)
        return sheets

    @property
    def raw_bytes(self) -> int:
        """Of the XML of the open sheet so far."""
        entry = self.archive.open_entry
        return 0 if entry is None else entry[4]

    def open(self) -> dict[str, Any]:
        """What `behind` has to know of the open sheet."""
        entry = self.archive.open_entry
        return {"entry": list(entry or ()), "sheet": self._next, "rows": self._rows}

    def so_far(self, tally: Tally) -> ShardEnd:
        """What was written up to now."""
        return ShardEnd(
            tally.rows,
            self.archive.checksum,
            entries=self.archive.entries,
            warnings=tally.warnings.copy(),
        )

    def add(self, sheet: Sheet, first_row: int, block: Block) -> Iterator[bytes]:
        """Write rows of `sheet`, which is that of the rows before, or the next one."""
        if sheet is not self._open:
            if self._open is not None:
                yield self._close()
            self._open, self._rows, self._order = sheet, 0, RowOrder(FIRST_DATA_ROW)
            yield self.archive.open(part_name(self._next + 1))
            yield self.archive.add(Block.of(self._design.frames[self._next].prologue))
        self._order.follow(first_row, block.rows)
        self._rows += block.rows
        yield self.archive.add(block)

    def end(self, ends: PartEnds) -> bytes:
        """The end of the last sheet, behind as many bytes as its part of the upload needs."""
        missing = ends.missing(self.archive.checksum.size_bytes)
        filler = self.archive.add(padding(missing)) if missing else b""
        return filler + self._close()

    def _close(self) -> bytes:
        epilogue = self._design.frames[self._next].epilogue
        self._next += 1
        return self.archive.add(Block.of(epilogue)) + self.archive.close()
