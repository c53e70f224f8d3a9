"""A session of PostgreSQL that holds a snapshot for others, and locks what the query reads.

The lock is that of any reader: it keeps a migration from changing columns, or from rewriting a
table, which would look empty in a snapshot from before.
"""

from __future__ import annotations

from waybill.exporter.shards.plan import Snapshot
from waybill.infra.sources.postgres.stream import PostgresStream


class HeldByPostgres:
    """See `waybill.exporter.shards.plan.HeldSnapshot`. Made by `PostgresSource`."""

    def __init__(self, stream: PostgresStream, snapshot: Snapshot) -> None:
        """`stream` has begun, in the snapshot that is to be held, and is closed with this."""
        self._stream = stream
        self.snapshot = stream.export(snapshot)

    def is_alive(self) -> bool:
        """Whether the session still holds it."""
        return self._stream.answers()

    def close(self) -> None:
        """End the session."""
        if (session := self._stream.close()) is not None:
            session.close()
