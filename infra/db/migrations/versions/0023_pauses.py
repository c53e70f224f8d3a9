"""Queues and datasets that operators paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "pause",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('queue', 'dataset')", name="ck_pause_kind"),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_pause"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("pause")
