"""Attributes of the owner of a task, for row rules: region, store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("attributes", JSON, nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "attributes")
