"""Things that must never happen to rows on their way, and places where a test makes them happen.

A mutation changes a list of things that travel one after the other; a place lets one of them
loose on what passes there during an export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pytest

from waybill.exporter.blocks.block import Block
from waybill.exporter.formats import parquet, text_rows
from waybill.exporter.formats.xlsx import encode as xlsx
from waybill.exporter.formats.xlsx.row_renderer import RenderedCut
from waybill.exporter.rows.batch_cuts import Cut
from waybill.storage.memory import MemoryStore, MemoryUpload
from waybill.storage.part_sender import PartSender

#: Small, so that a file of a few hundred kilobytes has several parts.
PART_BYTES = 16_384

#: What a mutation does to a list, given how one thing in it is damaged.
Mutation = Callable[[list[Any], Callable[[Any], Any]], None]


def leave(items: list[Any], damage: Callable[[Any], Any]) -> None:
    """Nothing: the control."""


def drop_first(items: list[Any], damage: Callable[[Any], Any]) -> None:
    del items[0]


def drop(items: list[Any], damage: Callable[[Any], Any]) -> None:
    del items[len(items) // 2]


def drop_last(items: list[Any], damage: Callable[[Any], Any]) -> None:
    del items[-1]


def double(items: list[Any], damage: Callable[[Any], Any]) -> None:
    middle = len(items) // 2
    items.insert(middle, items[middle])


def swap(items: list[Any], damage: Callable[[Any], Any]) -> None:
    middle = len(items) // 2
    items[middle - 1], items[middle] = items[middle], items[middle - 1]


def damage(items: list[Any], damage: Callable[[Any], Any]) -> None:
    middle = len(items) // 2
    items[middle] = damage(items[middle])


MUTATIONS: tuple[Mutation, ...] = (drop_first, drop, drop_last, double, swap, damage)


@dataclass(frozen=True)
class Tamper:
    """A mutation that is loose in one place. It tells how many things passed there."""

    mutate: Mutation
    passed: list[int]

    def __call__(self, items: Iterable[Any], damage: Callable[[Any], Any]) -> Iterator[Any]:
        listed = list(items)
        self.passed.append(len(listed))
        self.mutate(listed, damage)
        yield from listed


def flip(data: bytes) -> bytes:
    """`data` with one bit changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


def other_value(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch`, seal and all, with another number in its first column."""
    numbers = batch.column(0).to_pylist()
    numbers[len(numbers) // 2] += 1
    first = pa.array(numbers, batch.schema.field(0).type)
    return pa.RecordBatch.from_arrays([first, *batch.columns[1:]], schema=batch.schema)


def other_cut(cut: Cut) -> Cut:
    """`cut`, with another number in its first batch."""
    first, *rest = cut.slices
    slices = (replace(first, batch=other_value(first.batch)), *rest)
    return replace(cut, slices=slices)


def other_rendering(result: Any) -> Any:
    """What a render thread returned, with one bit of the bytes to be written changed."""
    if isinstance(result, RenderedCut):
        (piece, block), *rest = result.blocks
        return replace(result, blocks=((piece, replace(block, data=flip(block.data))), *rest))
    (first_row, rendered, packed), *rest = result
    if isinstance(packed, Block):
        packed = replace(packed, data=flip(packed.data))
    else:
        rendered = replace(rendered, raw=flip(rendered.raw))
    return ((first_row, rendered, packed), *rest)


class TamperedStream:
    """A `RowStream` whose batches were tampered with before anybody else saw them."""

    def __init__(self, stream: Any, tamper: Tamper) -> None:
        self._stream = stream
        self._tamper = tamper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._tamper(self._stream, other_value)


class TamperedSource:
    """A source of such streams."""

    def __init__(self, source: Any, tamper: Tamper) -> None:
        self._source = source
        self._tamper = tamper

    @contextmanager
    def open(self, query: Any, *, count: bool = True) -> Iterator[TamperedStream]:
        with self._source.open(query, count=count) as stream:
            yield TamperedStream(stream, self._tamper)


class TamperedStore(MemoryStore):
    """A store on the way to whose parts, or in whose keeping, something happens to them."""

    def __init__(self, sent: Tamper, kept: Tamper) -> None:
        super().__init__()
        self._sent, self._kept = sent, kept

    def open_upload(self, key: str, **_: Any) -> MemoryUpload:
        return TamperedUpload(self, key, "text/plain", PART_BYTES, self._sent)

    def _complete(self, upload_id: str, parts: Any) -> Any:
        kept = self._pending[upload_id].parts
        bodies = list(self._kept(kept.values(), flip))
        kept.clear()
        kept.update(enumerate(bodies, 1))
        return super()._complete(upload_id, parts)


class TamperedUpload(MemoryUpload):
    """An upload that mixes up its parts after it cut them."""

    def __init__(self, store: Any, key: str, kind: str, part_bytes: int, tamper: Tamper) -> None:
        super().__init__(store, key, kind, part_bytes)
        self._tamper = tamper
        self._cut: list[bytes] = []

    def _send(self, pieces: Any) -> None:
        self._cut.append(b"".join(pieces))

    def _publish(self) -> None:
        self._send(self._cutter.take())
        for body in self._tamper(self._cut, flip):
            super()._send([body])
        super()._publish()


class TamperedSender(PartSender):
    """What sends the parts of a real upload, and mixes them up before."""

    tamper: Tamper

    def __init__(self, send: Any, in_flight: int) -> None:
        super().__init__(send, in_flight)
        self._cut: list[bytes] = []

    def submit(self, pieces: Any) -> None:
        self._cut.append(b"".join(pieces))

    def finish(self) -> Any:
        for body in self.tamper(filter(None, self._cut), flip):
            super().submit([body])
        return super().finish()


class TamperedSink:
    """A sink that mixes up what it is given before it passes it on."""

    def __init__(self, sink: Any, tamper: Tamper) -> None:
        self._sink = sink
        self._tamper = tamper
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._written.append(data)

    def expect(self, size_bytes: int, crc32: int) -> None:
        for data in self._tamper(self._written, flip):
            self._sink.write(data)
        self._sink.expect(size_bytes, crc32)


def tamper_inside(patch: pytest.MonkeyPatch, *, cuts: Tamper, renderings: Tamper) -> None:
    """Let tampers loose between the cutting of batches and the threads, and behind these."""
    for module in (xlsx, text_rows, parquet):
        regroup = module.regroup
        patch.setattr(
            module,
            "regroup",
            lambda *given, regroup=regroup, **more: cuts(regroup(*given, **more), other_cut),
        )
    for module in (xlsx, text_rows):
        map_ordered = module.map_ordered
        patch.setattr(
            module,
            "map_ordered",
            lambda *given, map_ordered=map_ordered, **more: renderings(
                map_ordered(*given, **more), other_rendering
            ),
        )
