"""Sealed keys of files with a password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "file_key",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sets_used", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("task_id", name="pk_file_key"),
        sa.ForeignKeyConstraint(
            ["task_id"], ["export_task.id"], name="fk_file_key_task_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("file_key")
