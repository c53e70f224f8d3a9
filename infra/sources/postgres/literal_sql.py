"""Rendering a query as one PostgreSQL statement, every value a literal quoted by psycopg.

ADBC does not stream a statement that has bound parameters: it fetches the whole result
first (measured). So SQLAlchemy compiles the query as it would for psycopg, psycopg puts the
values in on the client, and ADBC is given a statement without parameters. Values are never
formatted into SQL by anything but psycopg's own adapters.
"""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.errors import SourceRejected


def render_with_literals(query: Query, connection: psycopg.Connection[Any]) -> sql.SQL:
    """The statement with its values as literals, for this connection's server.

    Raises:
        SourceRejected: a value cannot be sent to PostgreSQL, such as a NUL character.
    """
    dialect: sa.Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    template, values = compile_query(query, dialect)
    try:
        return sql.SQL(psycopg.ClientCursor(connection).mogrify(template, values))
    except psycopg.DataError:
        raise SourceRejected("A parameter holds a NUL character, or is out of range.") from None
    except psycopg.ProgrammingError:
        raise SourceRejected("A parameter is of a type PostgreSQL does not know.") from None
