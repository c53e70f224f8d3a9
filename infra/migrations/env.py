"""Alembic's entry point: runs inside the transaction that `infra.migrate.upgrade` opened."""

from __future__ import annotations

from alembic import context

from infra.tasks import schema_letters, schema_links, schema_notices, schema_usage
from infra.tasks.schema import metadata

# Imported for the tables they add.
_ = (schema_letters, schema_links, schema_notices, schema_usage)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
