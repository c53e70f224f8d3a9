"""Where a stream of batches is cut: into groups to render at once, into parts of a file.

Sources cut batches where it suits their driver. Grouping them anew by row count makes the
bytes of a file depend on its rows alone, and spares every encoder tiny blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa


def regroup(
    batches: Iterable[pa.RecordBatch],
    *,
    rows: int,
    max_bytes: int,
    stop_every: int | None = None,
) -> Iterator[pa.Table]:
    """Join and cut `batches` into tables of `rows` rows each, without copying.

    A table is shorter at the end, at each multiple of `stop_every` rows, and where the next
    batch would make it larger than `max_bytes`. Only such wide rows let the cuts depend on
    the source's own; a batch larger than `max_bytes` is passed on as it is.
    """
    held = _Held()
    done = 0
    for batch in batches:
        while batch.num_rows:
            room = rows if stop_every is None else min(rows, stop_every - done % stop_every)
            piece = batch.slice(0, room - held.rows)
            if held.rows and held.size_bytes + piece.nbytes > max_bytes:
                done += held.rows
                yield held.take()
                continue
            held.add(piece)
            batch = batch.slice(piece.num_rows)
            if held.rows == room:
                done += held.rows
                yield held.take()
    if held.rows:
        yield held.take()


class _Held:
    """Batches on their way into one table."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.rows = self.size_bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self.rows += batch.num_rows
        self.size_bytes += batch.nbytes

    def take(self) -> pa.Table:
        table = pa.Table.from_batches(self._batches)
        self._batches.clear()
        self.rows = self.size_bytes = 0
        return table


def split_rows(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """Cut `batches` into runs of exactly `rows` rows; the last run has what is left.

    The next run appears only when there is a row for it, so no part of a file is ever
    empty; but there is always a first run, even of nothing. Take each run to its end before
    asking for the next: they share one source.
    """
    rest = (batch for batch in batches if batch.num_rows)
    first = next(rest, None)
    if first is None:
        yield iter(())
    while first is not None:
        run = _Run(chain([first], rest), rows)
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
                self.surplus = batch.slice(left)
            yield batch.slice(0, left)
            left -= min(left, batch.num_rows)
            if not left:
                return
