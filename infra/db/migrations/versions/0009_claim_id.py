"""The random id of a claim, on its task and on the objects that it writes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("claim_id", sa.Uuid(), nullable=True))
    op.add_column("storage_object", sa.Column("claim_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("storage_object", "claim_id")
    op.drop_column("export_task", "claim_id")
