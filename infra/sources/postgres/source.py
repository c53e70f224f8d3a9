"""PostgreSQL as a source: renders a query to one statement, and reads it in one snapshot.

psycopg only composes the statement, over a connection that is closed again before reading
begins; ADBC counts and reads. Nothing is kept between two exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
from waybill.infra.sources.errors import by_sqlstate, connecting, no_connection
from waybill.infra.sources.postgres.count import count_rows
from waybill.infra.sources.postgres.literal_sql import render_with_literals
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
        statement, conninfo = self._render(query)
        stream = PostgresStream(conninfo, statement, count=count)
        try:
            stream.begin()
            yield stream
        finally:
            stream.close()

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
        ) from None
