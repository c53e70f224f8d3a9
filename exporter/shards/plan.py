"""Shards: ranges of rows that are written one by one, on any machine, and make one file together.

The plan of an export says which rows each shard has before the first of them is written, so that a
shard needs to know nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.ports import RowStream
from waybill.exporter.stop import StopToken


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The rows whose key is at least `lower` and below `upper`, as texts; None: no bound."""

    lower: str | None = None
    upper: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One range of rows."""

    #: From 0 on, in the order of the rows.
    number: int
    rows: int
    keys: KeyRange


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


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """All shards of one export, in order, and what they read."""

    snapshot: Snapshot
    shards: Sequence[Shard]


@runtime_checkable
class ShareableSource(Protocol):
    """A source whose snapshot several sessions can read."""

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
    ) -> AbstractContextManager[RowStream]:
        """Read the rows of one shard in `snapshot`, in a session of its own.

        Raises:
            SourceUnavailable: nobody holds the snapshot any more.
        """
        ...
