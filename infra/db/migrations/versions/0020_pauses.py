"""Since when an export is paused to let others pass, and how often it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("paused_since", UtcDateTime(), nullable=True))
    op.add_column(
        "export_task", sa.Column("pauses", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "pauses")
    op.drop_column("export_task", "paused_since")
