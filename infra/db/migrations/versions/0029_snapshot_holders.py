"""Sessions that hold the snapshot of an export in shards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "snapshot_holder",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("held_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "held_by", name="pk_snapshot_holder"),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["shard_plan.task_id"],
            name="fk_snapshot_holder_task_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("snapshot_holder")
