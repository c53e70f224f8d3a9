"""PostgreSQL as a source: renders a query to one statement, and reads it in one snapshot.

psycopg only composes the statement; ADBC counts and reads. Sessions are kept for the next export
for a while, with nothing of the last one in them (`kept_sessions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.ports import RowCount
from waybill.exporter.shards.plan import KeyRange, Shard, ShardPlan, Snapshot, TableKey
from waybill.exporter.stop import StopToken
from waybill.infra.sources.errors import (
    SourceRejected,
    SourceUnavailable,
    by_sqlstate,
    connecting,
    no_connection,
)
from waybill.infra.sources.postgres.count import count_rows
from waybill.infra.sources.postgres.held import HeldByPostgres
from waybill.infra.sources.postgres.kept_sessions import KeptSessions
from waybill.infra.sources.postgres.literal_sql import render_with_literals
from waybill.infra.sources.postgres.parts import PartOfQuery
from waybill.infra.sources.postgres.primary_keys import PrimaryKeys
from waybill.infra.sources.postgres.stream import PostgresStream

#: What a URL may override. A server that vanishes without a word is noticed after a minute
#: instead of after the two hours of the kernel's own keepalives.
_CONNECTION_DEFAULTS = {
    "application_name": "waybill export",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class PostgresSource:
    """Reads from one PostgreSQL database. Connects only in `open`.

    Raises:
        InvalidRequest: the URL has an option that PostgreSQL's client does not know.
    """

    def __init__(self, url: sa.URL) -> None:
        self._conninfo = connection_string(url)
        self._kept = KeptSessions(self._conninfo)
        self._keys = PrimaryKeys(self._conninfo)

    @contextmanager
    def open(self, query: Query, *, count: bool = True) -> Iterator[PostgresStream]:
        """One snapshot with one query in it; see `Source.open`.

        With ``count=False`` the rows are not passed over first. Then a value that its Arrow
        type cannot hold, such as ``infinity`` in a date, is not read as text but an error.

        Raises:
            SourceAway: no connection.
            SourceUnavailable: a lock held for too long, a restart.
            SourceRejected: a table or column is missing, no right to read it, bad syntax.
        """
        stream = self._begin_kept(query, count) or self._begin(query, count)
        try:
            yield stream
        finally:
            self._end(stream)

    @contextmanager
    def open_together(self, queries: Sequence[Query]) -> Iterator[Sequence[PostgresStream]]:
        """One snapshot with several queries in it; see `SnapshotSource.open_together`."""
        with ExitStack() as ending:
            streams: list[PostgresStream] = []
            for query in queries:
                stream = self._begin(query, count=True, beside=streams[0] if streams else None)
                ending.callback(self._end, stream)
                streams.append(stream)
            yield streams

    def find_key(self, query: Query) -> TableKey | None:
        """The primary key of the table that `query` reads; see `ShareableSource.find_key`."""
        return self._keys.of(query)

    @contextmanager
    def share(
        self, query: Query, key: str, rows: int, most: int, stop: StopToken
    ) -> Iterator[ShardPlan | None]:
        """Plan shards, and hold their snapshot; see `ShareableSource.share`."""
        stream = self._begin(query, count=True)
        try:
            with stop.around_reading():
                stop.interrupt_with(stream.cancel)
                plan = stream.share(key, rows, most)
            yield plan
        finally:
            self._end(stream)

    @contextmanager
    def open_shard(
        self, query: Query, snapshot: Snapshot, shard: Shard
    ) -> Iterator[PostgresStream]:
        """Read one shard; see `ShareableSource.open_shard`."""
        stream = self._begin(query, count=True, part=PartOfQuery(snapshot, shard))
        try:
            yield stream
        finally:
            self._end(stream)

    def hold(self, query: Query, snapshot: Snapshot, *, anew: bool = False) -> HeldByPostgres:
        """Hold `snapshot`, or another one in its place; see `ShareableSource.hold`."""
        everything = PartOfQuery(snapshot, Shard(0, snapshot.rows, KeyRange()))
        stream = self._begin(query, count=True, part=None if anew else everything)
        try:
            return HeldByPostgres(stream, snapshot)
        except BaseException:
            stream.close()
            raise

    def _end(self, stream: PostgresStream) -> None:
        if (session := stream.close()) is not None:
            self._kept.keep(session)

    def _begin_kept(self, query: Query, count: bool) -> PostgresStream | None:
        """A stream in the session of an earlier export; None where a new one is needed."""
        session = self._kept.take()
        if session is None:
            return None
        try:
            statement = self._kept.render(query)
        except psycopg.Error:
            session.close()
            return None
        except BaseException:
            session.close()
            raise
        stream = PostgresStream(session, statement, count=count)
        try:
            if stream.begin():
                return stream
        except (SourceUnavailable, SourceRejected):
            # The server may have ended the session meanwhile, or what the account may read, and
            # where its tables are looked for, may have changed. A new session tells.
            pass
        except BaseException:
            stream.close()
            raise
        stream.close()
        return None

    def _begin(
        self,
        query: Query,
        count: bool,
        part: PartOfQuery | None = None,
        beside: PostgresStream | None = None,
    ) -> PostgresStream:
        statement, conninfo = self._render(query)
        stream = PostgresStream(conninfo, statement, count=count)
        if part is not None:
            stream.read_part(part)
        if beside is not None:
            stream.read_beside(beside)
        try:
            stream.begin()
        except BaseException:
            stream.close()
            raise
        return stream

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        """What the planner says, and a count where the plan is cheap; see `RowCounter.count`."""
        return count_rows(self._conninfo, query, within)

    def _render(self, query: Query) -> tuple[sql.SQL, str]:
        """The statement, and the connection string for the session that reads it."""
        with connecting():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    return render_with_literals(query, connection), _readable(
                        connection, self._conninfo
                    )
            except psycopg.Error as error:
                if error.sqlstate is None:
                    raise no_connection(str(error)) from None
                raise by_sqlstate(error.sqlstate) from None


def _readable(connection: psycopg.Connection[Any], conninfo: str) -> str:
    """`conninfo`, with names unquoted where this server quotes all of them.

    The driver looks for PostgreSQL's types by the names of their functions when it connects, and
    knows none of them in quotes (measured: every column became text). Only then, for a connection
    pooler may refuse options.
    """
    [quotes] = connection.execute("SHOW quote_all_identifiers").fetchone() or ("off",)
    if quotes == "off":
        return conninfo
    options = conninfo_to_dict(conninfo).get("options") or ""
    return make_conninfo(conninfo, options=f"{options} -c quote_all_identifiers=off")


def connection_string(url: sa.URL) -> str:
    """The options passed to libpq: the options of `url`, and those it must not override.

    Raises:
        InvalidRequest: the URL has an option that PostgreSQL's client does not know.
    """
    dialect: sa.Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    _, options = dialect.create_connect_args(url.set(drivername="postgresql+psycopg"))
    settings = _CONNECTION_DEFAULTS | {name: str(value) for name, value in options.items()}
    # Arrow strings are UTF-8 and the driver passes on what it gets, whatever a server or an
    # environment variable says the client's encoding is.
    settings["client_encoding"] = "UTF8"
    try:
        return make_conninfo("", **settings)
    except psycopg.ProgrammingError:
        raise InvalidRequest(
            "The source URL has an option that PostgreSQL's client does not know."
            " In a password, ? is written %3F."
        ) from None
