"""Secrets that all processes of an installation share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "shared_secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_shared_secret"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("shared_secret")
