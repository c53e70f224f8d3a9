"""How far a shard is written: up to a mark between two rows, and the key of the row before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from waybill.exporter.formats.shard_end import Mark
from waybill.exporter.ports import RowStream
from waybill.exporter.shards.plan import Shard, ShardStream


@dataclass(frozen=True, slots=True)
class Reached:
    """All rows up to the one of `key` are written, and `mark` is behind them."""

    key: str
    mark: Mark

    @property
    def rows(self) -> int:
        """How many rows that are."""
        return self.mark.so_far.rows

    def rest(self, shard: Shard) -> Shard:
        """What is left of `shard`."""
        return shard.behind(self.key, self.rows)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return {"key": self.key, "mark": self.mark.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reached:
        """What `to_json` was called of."""
        return cls(value["key"], Mark.from_json(value["mark"]))


class KeptKeys:
    """A stream of rows, and the keys of those that were read last. It is a `RowStream`."""

    def __init__(self, stream: ShardStream, before: int) -> None:
        """`before` rows of the shard come before those of `stream`."""
        self._stream: RowStream = stream
        self._key = stream.key
        self._next = before
        #: By the number of the first row: a few, since encoders read no further than they write.
        self._keys: deque[tuple[int, pa.Array]] = deque()

    @property
    def schema(self) -> pa.Schema:
        """As of the stream."""
        return self._stream.schema

    @property
    def snapshot_at(self) -> datetime:
        """As of the stream."""
        return self._stream.snapshot_at

    @property
    def rows_expected(self) -> int | None:
        """As of the stream."""
        return self._stream.rows_expected

    @property
    def read_as_text(self) -> Mapping[int, int]:
        """As of the stream."""
        return self._stream.read_as_text

    def cancel(self) -> None:
        """As of the stream."""
        self._stream.cancel()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._stream:
            if batch.num_rows:
                # A copy: the array itself keeps the whole batch in memory.
                keys = batch.column(self._key).copy_to(pa.default_cpu_memory_manager())
                self._keys.append((self._next, keys))
                self._next += batch.num_rows
            yield batch
            del batch

    def key_of(self, rows: int) -> str:
        """The key of the last of the first `rows` rows of the shard, and forget those before."""
        while len(self._keys) > 1 and self._keys[1][0] < rows:
            self._keys.popleft()
        first, keys = self._keys[0]
        return str(keys[rows - 1 - first].as_py())
