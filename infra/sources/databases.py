"""From a database URL to what can talk to it. Nothing connects here."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.mysql_session import MysqlSession
from waybill.infra.sources.row_session import RowSession
from waybill.infra.sources.sqlite_session import SqliteSession


def parse_url(url: str) -> sa.URL:
    """`url` in the spelling of the drivers used here; ``postgres://`` is understood too.

    Raises:
        InvalidRequest: not a database URL. The text does not repeat it: it may hold a password.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise InvalidRequest("The source is not a database URL.") from None
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def row_session(url: sa.URL) -> RowSession:
    """What reads the database at `url` row by row, reflection included.

    Raises:
        InvalidRequest: no driver for this kind of database is installed.
    """
    if url.get_backend_name() == "sqlite":
        return SqliteSession(url)
    if url.get_backend_name() in {"mysql", "mariadb"}:
        return MysqlSession(url)
    return RowSession(url)
