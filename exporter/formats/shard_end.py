"""What a shard leaves behind once it is written, and how a format writes and joins shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.blocks.zip_stream import FragmentEntry, fragment_entry
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.archive.part_archive import ArchivePart
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.warning_rules import WarningRule, Warnings

#: Length and SHA-256 of some bytes of the file.
Leaf = tuple[int, str]


class ShardsDoNotFit(LimitExceeded):
    """These values do not go where the plan of the shards has them. In one piece they may."""


@dataclass(frozen=True, slots=True)
class ShardEnd:
    """What is known of a shard once it is written; its file needs no more of it."""

    rows: int
    #: Of the bytes of the file.
    file: Checksum
    #: Of the uncompressed bytes, where the file ends with their checksum.
    raw: Checksum = field(default_factory=Checksum)
    #: Where the file ends with a directory: what that will say of this shard.
    entries: Sequence[FragmentEntry] = ()
    #: Where it has a manifest: what that will say of the parts in this shard.
    parts: Sequence[ArchivePart] = ()
    #: Its bytes in pieces, each of which ends with a part of the upload.
    leaves: Sequence[Leaf] = ()
    warnings: Warnings = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {
            "rows": self.rows,
            "raw": [self.raw.size_bytes, self.raw.crc32],
            "entries": [list(entry) for entry in self.entries],
            "parts": [list(astuple(part)) for part in self.parts],
            "file": [self.file.size_bytes, self.file.crc32],
            "leaves": [list(leaf) for leaf in self.leaves],
            "warnings": [
                [column, rule.name, count] for (column, rule), count in self.warnings.items()
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ShardEnd:
        """The shard's end that `to_json` was called of."""
        return cls(
            value["rows"],
            file=Checksum(*value["file"]),
            raw=Checksum(*value["raw"]),
            entries=[fragment_entry(*entry) for entry in value["entries"]],
            parts=[ArchivePart(*part) for part in value["parts"]],
            leaves=[_leaf(*leaf) for leaf in value["leaves"]],
            warnings=Counter(
                {(column, WarningRule[rule]): count for column, rule, count in value["warnings"]}
            ),
        )


def _leaf(size_bytes: int, sha256: str) -> Leaf:
    return size_bytes, sha256


@dataclass(frozen=True, slots=True)
class Mark:
    """A place behind a row of a shard, from where any process can go on with its bytes."""

    so_far: ShardEnd
    #: What is open at this place, as JSON: only the format reads it.
    open: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {"so_far": self.so_far.to_json(), "open": dict(self.open)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Mark:
        """The mark that `to_json` was called of."""
        return cls(ShardEnd.from_json(value["so_far"]), value["open"])


@dataclass(frozen=True, slots=True)
class ShardedFile:
    """What every shard knows of the whole file."""

    rows: int
    rows_of_shard: int
    #: What `ShardedEncoding.prepare` found.
    notes: Mapping[str, Any] = field(default_factory=dict)
    #: What precedes each mark at least, where that is more than a part needs.
    part_bytes: int = 0

    def rows_of(self, number: int) -> int:
        """Rows of the shard `number`."""
        return min(self.rows_of_shard, self.rows - number * self.rows_of_shard)


class ShardedEncoding(Protocol):
    """How a file of one format is written in shards.

    Joined in order, the bytes of all shards and of `end` are one file. The same shards give the
    same bytes in any process.
    """

    def rows_of_shard(self, wanted: int) -> int:
        """How many rows shards have where about `wanted` are asked for.

        As many, unless the file has pages such as sheets: those are whole in each shard.
        """
        return wanted

    def prepare(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout
    ) -> dict[str, Any]:
        """What the first rows decide for all, as JSON: nothing, in most formats."""
        return {}

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
        """Yield the bytes of the shard `number`, with marks between them; return what they are.

        At least `least_bytes` precede each mark and the end. With `begin` these are the bytes, and
        `batches` the rows, behind that mark; the marks that follow are the same.
        """
        ...

    def end(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile, shards: Sequence[ShardEnd]
    ) -> bytes:
        """The bytes behind the last shard."""
        ...


def combined(ends: Iterable[ShardEnd], checksum: Callable[[ShardEnd], Checksum]) -> Checksum:
    """The checksum of all shards, one after the other."""
    total = Checksum()
    for end in ends:
        total += checksum(end)
    return total


def combined_warnings(ends: Iterable[ShardEnd]) -> Warnings:
    """The warnings of all shards."""
    total: Warnings = Counter()
    for end in ends:
        total.update(end.warnings)
    return total
