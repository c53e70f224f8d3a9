"""The trace of a wake-up, and when it was committed: its age says whether the relay works."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("outbox", sa.Column("traceparent", sa.Text(), nullable=True))
    op.add_column("outbox", sa.Column("added_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("outbox", "added_at")
    op.drop_column("outbox", "traceparent")
