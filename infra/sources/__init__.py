"""Databases that rows can be read from, as Arrow, behind `waybill.exporter.ports.Source`."""

from __future__ import annotations

from collections.abc import Mapping

from waybill.exporter.datasets.dataset import ROWS, TASKS
from waybill.exporter.ports import Source
from waybill.infra.sources.databases import parse_url, row_session
from waybill.infra.sources.postgres import PostgresSource
from waybill.infra.sources.rows import RowsSource

#: The databases of one process, by the names that datasets know them by.
Sources = Mapping[str, Source]


def open_sources(rows_url: str, tasks_url: str) -> Sources:
    """A source for every name in `Dataset.reads`. Connects to nothing yet.

    Raises:
        InvalidRequest: as `open_source`.
    """
    return {ROWS: open_source(rows_url), TASKS: open_source(tasks_url)}


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
