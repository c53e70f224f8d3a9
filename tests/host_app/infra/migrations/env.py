"""The host's Alembic, as `alembic init` writes it."""

from __future__ import annotations

import os

import sqlalchemy as sa
from alembic import context
from infra.models import metadata

engine = sa.create_engine(os.environ["DATABASE_URL"], poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
