"""Alembic's entry point: runs inside the transaction that `upgrade` opened.

Migrations name no schema: in a transaction the search path leads to that of the task tables.
Those that run outside of one name it (`waybill.infra.db.migrations.indexes`).
"""

from __future__ import annotations

from alembic import context

from waybill.infra.db.schema import schema_of
from waybill.infra.db.tables import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
schema = schema_of(connection)
if schema and connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
    quoted = connection.dialect.identifier_preparer.quote(schema)
    connection.exec_driver_sql(f"SET LOCAL search_path = {quoted}")
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    version_table=VERSION_TABLE,
    version_table_schema=schema,
)
context.run_migrations()
