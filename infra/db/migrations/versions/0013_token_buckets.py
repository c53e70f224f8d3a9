"""Token buckets: how often tasks are made, mails are sent and webhooks are posted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "token_bucket",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("full_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_token_bucket"),
    )
    op.create_index("ix_token_bucket_full", "token_bucket", ["full_at"])


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("token_bucket")
