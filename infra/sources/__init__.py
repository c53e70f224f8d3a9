"""Databases that rows can be read from, as Arrow, behind `exporter.ports.Source`."""

from __future__ import annotations

from exporter.ports import Source
from infra.sources.databases import parse_url, row_session
from infra.sources.postgres import PostgresSource
from infra.sources.rows import RowsSource


def open_source(url: str) -> Source:
    """The source for a database URL in any of SQLAlchemy's spellings. Connects to nothing yet.

    PostgreSQL is read through ADBC, every other database row by row.

    Raises:
        InvalidRequest: not a database URL, an option nobody knows, or no driver for it.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        return PostgresSource(parsed)
    return RowsSource(row_session(parsed))
