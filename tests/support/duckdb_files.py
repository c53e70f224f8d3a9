"""DuckDB files for tests: written as another program would, and read as an export does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import text_query


def read(url: str, query: str | sa.Select | sa.TextClause, *, count: bool = True) -> pa.Table:
    query = text_query(query, url) if isinstance(query, str) else query
    with open_source(url).open(query, count=count) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
        assert stream.rows_expected == (table.num_rows if count else None)
    return table


def counted(url: str, query: sa.TextClause) -> int | None:
    return open_source(url).count(query, within=dt.timedelta(seconds=30)).counted


def run(path: Path, *statements: str) -> str:
    """Run statements as another program would; the URL of the file."""
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return f"duckdb:///{path}"
