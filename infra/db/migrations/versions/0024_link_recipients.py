"""Whom a share link was mailed to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("share_link", sa.Column("recipient", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("share_link", "recipient")
