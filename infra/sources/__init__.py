"""Sources of rows: databases read as Arrow, behind `waybill.exporter.ports.Source`.

Each database is a folder or a module of its own, declared in `databases`: ``postgres``,
``sqlite`` and ``mysql``; ``rows`` reads any other through SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping

from waybill.exporter.ports import Source
from waybill.infra.sources.databases import parse_database_url, source
from waybill.infra.sources.names import ROWS, TASKS

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
        InvalidRequest: not a database URL, an unknown option, or no driver for it.
    """
    return source(parse_database_url(url))
