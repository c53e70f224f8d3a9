"""Batch cuts: a stream of batches regrouped into runs to render at once, or parts of a file.

Sources cut batches where it suits their driver. Regrouping them by row count makes the
bytes of a file depend on its rows alone, and spares every encoder tiny blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import pyarrow as pa

from waybill.exporter.rows.row_sizes import RowSizes
from waybill.exporter.rows.seals import (
    RowOrder,
    check_seal,
    first_row_of,
    in_order,
    sealed_slice,
    serialized_bytes,
)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Some rows of a sealed batch."""

    batch: pa.RecordBatch
    start: int
    rows: int
    #: Of the whole batch, at least what its rows take.
    batch_bytes: int
    sizes: RowSizes

    @classmethod
    def whole(cls, batch: pa.RecordBatch) -> _Slice:
        return cls(batch, 0, batch.num_rows, serialized_bytes(batch), RowSizes(batch))

    @property
    def first_row(self) -> int:
        return first_row_of(self.batch) + self.start

    @property
    def content(self) -> pa.RecordBatch:
        return self.batch.slice(self.start, self.rows)

    @property
    def size_bytes(self) -> int:
        """What the values of these rows take, wherever their batches end."""
        return self.sizes.between(self.start, self.start + self.rows)

    def rows_within(self, max_bytes: int) -> int:
        """How many of the first rows take no more than `max_bytes`."""
        return min(self.rows, self.sizes.rows_within(self.start, max_bytes))

    def head(self, rows: int) -> _Slice:
        return replace(self, rows=min(rows, self.rows))

    def without(self, rows: int) -> _Slice:
        return replace(self, start=self.start + rows, rows=self.rows - rows)


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows of the result to be rendered at once. Cutting neither copies nor reads a value."""

    slices: tuple[_Slice, ...]
    #: Of the Arrow data, at most. It is exact where it is more than the cut was to have.
    size_bytes: int

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Cut:
        """All rows of one sealed batch."""
        whole = _Slice.whole(batch)
        return cls((whole,), whole.batch_bytes)

    def exceeds(self, max_bytes: int) -> bool:
        """Whether it takes more than `max_bytes`, to which it was cut: only a single row does."""
        return self.size_bytes > max_bytes

    @property
    def first_row(self) -> int:
        """Where in the result these rows begin."""
        return self.slices[0].first_row

    @property
    def rows(self) -> int:
        """How many rows there are; at least one."""
        return sum(item.rows for item in self.slices)

    def column(self, index: int) -> pa.Array:
        """One column, unchecked, for planning only: rendered rows come from `open`."""
        chunks = [item.content.column(index) for item in self.slices]
        return pa.chunked_array(chunks).combine_chunks()

    def open(self) -> pa.Table:
        """The rows, each of their batches checked against its seal. Meant for render threads.

        Raises:
            IncompleteExport: they are not what the source read, or not in its order.
        """
        order = RowOrder()
        for item in self.slices:
            check_seal(item.batch)
            order.follow(item.first_row, item.rows)
        return pa.Table.from_batches([item.content for item in self.slices])


def regroup(
    batches: Iterable[pa.RecordBatch],
    *,
    rows: int,
    max_bytes: int,
    stop_every: int | None = None,
    before: int = 0,
) -> Iterator[Cut]:
    """Join and cut sealed `batches` into cuts of `rows` rows each.

    A cut is shorter at the end, at each multiple of `stop_every` rows, of which `before` came
    earlier, and where it would take more than `max_bytes`, which only a single row may. The cuts
    depend on the rows alone: from the end of any of them on they are the same again.

    Raises:
        IncompleteExport: a batch is missing, repeated or out of place, or has no seal.
    """
    held = _Held()
    done = before
    for batch in in_order(batches):
        rest = _Slice.whole(batch)
        while rest.rows:
            room = rows if stop_every is None else min(rows, stop_every - done % stop_every)
            piece = rest.head(room - held.rows)
            # All of a batch that fits is more than any part of it.
            size_bytes = piece.batch_bytes
            if held.size_bytes + size_bytes > max_bytes:
                held.measure()
                fitting = piece.rows_within(max_bytes - held.size_bytes)
                if held.rows and not fitting:
                    done += held.rows
                    yield held.take()
                    continue
                piece = piece.head(max(fitting, 1))
                size_bytes = piece.size_bytes
            held.add(piece, size_bytes)
            rest = rest.without(piece.rows)
            # A row beyond the bytes stands alone: the next one need not be read to know that.
            if held.rows == room or held.size_bytes > max_bytes:
                done += held.rows
                del piece
                yield held.take()
        del batch, rest
    if held.rows:
        yield held.take()


class _Held:
    """Slices on their way into one cut."""

    def __init__(self) -> None:
        self._slices: list[_Slice] = []
        self.rows = self.size_bytes = 0

    def add(self, item: _Slice, size_bytes: int) -> None:
        self._slices.append(item)
        self.rows += item.rows
        self.size_bytes += size_bytes

    def measure(self) -> None:
        """Make `size_bytes` exact."""
        self.size_bytes = sum(item.size_bytes for item in self._slices)

    def take(self) -> Cut:
        cut = Cut(tuple(self._slices), self.size_bytes)
        self._slices.clear()
        self.rows = self.size_bytes = 0
        return cut


def split_rows(
    batches: Iterable[pa.RecordBatch], rows: int, *, done: int = 0
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Cut sealed `batches` into runs of exactly `rows` rows; the last run has the rest.

    Of the first run, `done` rows came earlier.

    The next run appears only when there is a row for it, so no part of a file is ever
    empty; but there is always a first run, even of nothing. Take each run to its end before
    asking for the next: they share one source.
    """
    rest = (batch for batch in in_order(batches) if batch.num_rows)
    first = next(rest, None)
    if first is None or done == rows:
        yield iter(())
        done = 0
    while first is not None:
        run = _Run(chain([first], rest), rows - done)
        done = 0
        yield iter(run)
        first = run.surplus if run.surplus is not None else next(rest, None)


class _Run:
    """The first `rows` rows of a source, and what of its last batch goes beyond them."""

    def __init__(self, source: Iterable[pa.RecordBatch], rows: int) -> None:
        self._source = source
        self._rows = rows
        self.surplus: pa.RecordBatch | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        left = self._rows
        for batch in self._source:
            if batch.num_rows > left:
                self.surplus = sealed_slice(batch, left)
                batch = sealed_slice(batch, 0, left)
            yield batch
            left -= batch.num_rows
            if not left:
                return
