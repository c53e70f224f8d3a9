"""What a shard leaves behind once it is written, and how a format writes and joins shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.blocks.zip_stream import FragmentEntry
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.warning_rules import WarningRule, Warnings


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
    sha256: str = ""
    warnings: Warnings = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {
            "rows": self.rows,
            "raw": [self.raw.size_bytes, self.raw.crc32],
            "entries": [list(entry) for entry in self.entries],
            "file": [self.file.size_bytes, self.file.crc32],
            "sha256": self.sha256,
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
            entries=[_entry(*entry) for entry in value["entries"]],
            sha256=value["sha256"],
            warnings=Counter(
                {(column, WarningRule[rule]): count for column, rule, count in value["warnings"]}
            ),
        )


def _entry(*values: Any) -> FragmentEntry:
    name, offset, flags, crc32, raw_bytes, length = values
    return name, offset, flags, crc32, raw_bytes, length


@dataclass(frozen=True, slots=True)
class ShardedFile:
    """What every shard knows of the whole file."""

    rows: int
    rows_of_shard: int
    #: What `ShardedEncoding.prepare` found.
    notes: Mapping[str, Any] = field(default_factory=dict)


class ShardedEncoding(Protocol):
    """How a file of one format is written in shards.

    Joined in order, the bytes of all shards and of `end` are one file. The same shards give the
    same bytes in any process.
    """

    def rows_of_shard(self, wanted: int) -> int:
        """How many rows shards have where about `wanted` are asked for."""
        ...

    def prepare(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout
    ) -> dict[str, Any]:
        """What the first rows decide for all, as JSON."""
        ...

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
    ) -> Generator[bytes, None, ShardEnd]:
        """Yield the bytes of the shard `number`, at least `least_bytes`; return what they are."""
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
