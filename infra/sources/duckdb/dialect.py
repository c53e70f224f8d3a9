"""DuckDB's SQL for SQLAlchemy: written like PostgreSQL's, with catalogs of DuckDB's own.

The package ``duckdb-engine`` brings one too, but cannot read the columns of a table with
SQLAlchemy 2.1 and DuckDB 2.0. This one is registered under a name of its own, so a program that
has both keeps both.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import (
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
)

from waybill.infra.sources.duckdb.errors import by_duckdb

#: What a URL for `sqlalchemy.create_engine` begins with.
DRIVER_NAME = "duckdb+waybill"

_COLUMNS = sa.text(
    "SELECT column_name FROM duckdb_columns() WHERE lower(table_name) = lower(:name)"
    " AND lower(schema_name) = lower(:schema) AND database_name = current_database()"
    " ORDER BY column_index"
)
_KEY = sa.text(
    "SELECT constraint_column_names FROM duckdb_constraints()"
    " WHERE constraint_type = 'PRIMARY KEY' AND lower(table_name) = lower(:name)"
    " AND lower(schema_name) = lower(:schema) AND database_name = current_database()"
)
_TABLES = sa.text(
    "SELECT table_name FROM duckdb_tables() WHERE lower(schema_name) = lower(:schema)"
    " AND NOT internal AND database_name = current_database() ORDER BY table_name"
)
_VIEWS = sa.text(
    "SELECT view_name FROM duckdb_views() WHERE lower(schema_name) = lower(:schema)"
    " AND NOT internal AND database_name = current_database() ORDER BY view_name"
)
_SCHEMAS = sa.text(
    "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal"
    " AND database_name = current_database()"
    " UNION SELECT current_schema() ORDER BY schema_name"
)

#: Names of files that DuckDB reads like a table, in quotes.
_FILES = (".parquet", ".csv", ".csv.gz", ".json", ".jsonl", ".ndjson", ".json.gz")


class _Quoted(PGIdentifierPreparer):
    """Every name in quotes: DuckDB reserves other words than PostgreSQL, and folds quoted names."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class _Bytes(sa.LargeBinary):
    """Bytes as they are, which DuckDB's driver takes."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        """None is needed."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        """None is needed."""


class DuckdbDialect(DefaultDialect):
    """Writes DuckDB's SQL with ``?`` for values, and finds tables, views, keys and files."""

    #: PostgreSQL's compiler asks, where a text is written into SQL, such as behind LIKE … ESCAPE.
    _backslash_escapes = False
    name = "duckdb"
    driver = "waybill"
    default_paramstyle = "qmark"
    statement_compiler = PGCompiler
    type_compiler_cls = PGTypeCompiler
    preparer = _Quoted
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_uuid = True
    supports_empty_insert = False
    # Many rows are one statement: DuckDB takes a millisecond for each.
    supports_multivalues_insert = True
    use_insertmanyvalues = True
    use_insertmanyvalues_wo_returning = True
    postfetch_lastrowid = False
    default_schema_name = "main"
    colspecs = {sa.Interval: INTERVAL, sa.LargeBinary: _Bytes}  # noqa: RUF012 - read only

    @classmethod
    def import_dbapi(cls) -> Any:
        """DuckDB's module."""
        import duckdb

        return duckdb

    def initialize(self, connection: sa.Connection) -> None:
        """Nothing is asked: any DuckDB has all that is used here."""

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction: DuckDB has none of its own accord."""
        dbapi_connection.driver.begin()

    def get_schema_names(self, connection: sa.Connection, **_: Any) -> list[str]:
        """The schemas of the file."""
        return list(connection.execute(_SCHEMAS).scalars())

    def get_table_names(
        self, connection: sa.Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """The tables of a schema."""
        return list(connection.execute(_TABLES, {"schema": self._schema(schema)}).scalars())

    def get_view_names(
        self, connection: sa.Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """The views of a schema."""
        return list(connection.execute(_VIEWS, {"schema": self._schema(schema)}).scalars())

    def has_table(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> bool:
        """Whether there is such a table, view or file."""
        return bool(self._column_names(connection, table_name, schema))

    def get_columns(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[ReflectedColumn]:
        """The columns, without types: the source asks DuckDB for those when it reads.

        Raises:
            sqlalchemy.exc.NoSuchTableError: there is no such table, view or file.
        """
        names = self._column_names(connection, table_name, schema)
        if not names:
            raise sa.exc.NoSuchTableError(table_name)
        return [
            {"name": name, "type": sa.types.NULLTYPE, "nullable": True, "default": None}
            for name in names
        ]

    def get_pk_constraint(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> ReflectedPrimaryKeyConstraint:
        """The columns of the primary key."""
        found = connection.execute(
            _KEY, {"name": table_name, "schema": self._schema(schema)}
        ).scalar_one_or_none()
        return {"constrained_columns": list(found or ()), "name": None}

    def get_foreign_keys(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[ReflectedForeignKeyConstraint]:
        """None: an export follows no keys."""
        return []

    def get_indexes(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[ReflectedIndex]:
        """None: an export needs no index."""
        return []

    def _schema(self, schema: str | None) -> str:
        return schema or self.default_schema_name

    def _column_names(self, connection: sa.Connection, table: str, schema: str | None) -> list[str]:
        values = {"name": table, "schema": self._schema(schema)}
        names = list(connection.execute(_COLUMNS, values).scalars())
        if names or schema is not None or not table.lower().endswith(_FILES):
            return names
        query = sa.select(sa.text("*")).select_from(sa.table(table)).limit(0)
        try:
            return list(connection.execute(query).keys())
        except sa.exc.DBAPIError as error:
            # What is missing, or forbidden, about a file.
            raise by_duckdb(error.orig or error) from None


registry.register("duckdb.waybill", __name__, DuckdbDialect.__name__)
