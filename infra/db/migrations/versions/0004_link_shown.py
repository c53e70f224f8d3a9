"""When the recorded link of a task was first shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("link_shown_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "link_shown_at")
