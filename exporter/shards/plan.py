"""Shards: ranges of rows that are written one by one, on any machine, and make one file together.

The plan of an export says which rows each shard has before the first of them is written, so that a
shard needs to know nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.ports import RowStream
from waybill.exporter.stop import StopToken


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The rows whose key is at least `lower` and below `upper`, as texts; None: no bound.

    With `after`, only those whose key is larger than that.
    """

    lower: str | None = None
    upper: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One range of rows."""

    #: From 0 on, in the order of the rows.
    number: int
    rows: int
    keys: KeyRange

    def behind(self, key: str, rows: int) -> Shard:
        """What is left of it behind its first `rows` rows, the last of which has the key `key`."""
        return replace(self, rows=self.rows - rows, keys=replace(self.keys, after=key))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What every shard of one export reads. Several sessions can read it."""

    #: The database's name for it.
    name: str
    taken_at: datetime
    #: All rows of the query.
    rows: int
    #: What the source that made it has to know again, as JSON.
    state: Mapping[str, Any] = field(default_factory=dict)
    #: Names that sessions which read it have given it since, the newest first.
    renamed: Sequence[str] = ()

    @property
    def names(self) -> Sequence[str]:
        """All names it was given. Those of sessions that have ended lead nowhere."""
        return (*self.renamed, self.name)


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """All shards of one export, in order, and what they read."""

    snapshot: Snapshot
    shards: Sequence[Shard]


@dataclass(frozen=True, slots=True)
class TableKey:
    """The key of the one table that a query reads."""

    #: The name of its column.
    column: str
    #: Of the whole table, on disk.
    table_bytes: int


class ShardStream(RowStream, Protocol):
    """The rows of one shard, in the order of their key."""

    @property
    def key(self) -> int:
        """The place of the column that has the key."""
        ...


class HeldSnapshot(Protocol):
    """A session that does nothing but keep a snapshot readable for others.

    Any thread may use it, one at a time.
    """

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot by the name that this session gave it."""
        ...

    def is_alive(self) -> bool:
        """Whether the session still holds it.

        Call it from time to time: a session of which nothing is heard for minutes is ended by the
        server, since a process that hangs must not hold back vacuum.
        """
        ...

    def close(self) -> None:
        """End the session."""
        ...


@runtime_checkable
class ShareableSource(Protocol):
    """A source whose snapshot several sessions can read."""

    def find_key(self, query: Query) -> TableKey | None:
        """A column of `query` that rows can be split by, if the source finds one; never raises."""
        ...

    def share(
        self, query: Query, key: str, rows: int, most: int, stop: StopToken
    ) -> AbstractContextManager[ShardPlan | None]:
        """Plan shards of `rows` rows in the order of the column `key`, and hold the snapshot.

        Where there would be more than `most` of them, each has a multiple of `rows`.

        None where this query cannot be read in shards. `stop` interrupts the planning.
        """
        ...

    def open_shard(
        self, query: Query, snapshot: Snapshot, shard: Shard
    ) -> AbstractContextManager[ShardStream]:
        """Read the rows of one shard in `snapshot`, in a session of its own.

        Raises:
            SnapshotLost: nobody holds the snapshot any more.
        """
        ...

    def hold(self, query: Query, snapshot: Snapshot, *, anew: bool = False) -> HeldSnapshot:
        """Hold `snapshot` in a session of its own, beside those that hold it already.

        With `anew` it is another snapshot, of this moment, which takes the place of `snapshot`:
        only for rows that are the same in both.

        Raises:
            SnapshotLost: nobody holds the snapshot any more.
        """
        ...
