"""Indexes of tables that are in use: built without blocking a writer, and again if interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.schema import qualified, schema_of

_VALID = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def build_index(
    name: str, table: str, columns: Sequence[str], *, where: str | None = None, unique: bool = False
) -> None:
    """Build an index unless it is there; the migration has ``online = True`` and does only this.

    PostgreSQL leaves an invalid index behind when a build is interrupted: it is dropped first.
    """
    connection, postgres = op.get_bind(), op.get_context().dialect.name == "postgresql"
    schema = None if op.get_context().as_sql else schema_of(connection)
    options: dict[str, Any] = {}
    if postgres:
        # In an empty database all migrations are one transaction.
        options["postgresql_concurrently"] = op.get_context().as_sql or (
            connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        )
    if not op.get_context().as_sql:
        valid = (
            connection.execute(_VALID, {"name": qualified(connection, name)}).scalar()
            if postgres
            else sa.inspect(connection).has_index(table, name) or None
        )
        if valid:
            return
        if valid is False:
            op.drop_index(name, table, schema=schema, **options)
    if where is not None:
        options |= {"postgresql_where": sa.text(where), "sqlite_where": sa.text(where)}
    op.create_index(name, table, list(columns), unique=unique, schema=schema, **options)
