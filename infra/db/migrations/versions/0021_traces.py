"""The trace of a request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("traceparent", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "traceparent")
