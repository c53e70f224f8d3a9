"""Alembic's entry point: runs inside the transaction that `upgrade` opened."""

from __future__ import annotations

from alembic import context

from waybill.infra.db.tables import dead_letters as schema_letters
from waybill.infra.db.tables import links as schema_links
from waybill.infra.db.tables import notifications as schema_notices
from waybill.infra.db.tables import usage as schema_usage
from waybill.infra.db.tables.tasks import metadata

# Imported for the tables they add.
_ = (schema_letters, schema_links, schema_notices, schema_usage)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
