"""What a task waits for while a part of the installation is away, and whether it runs alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("waiting_for", sa.Text(), nullable=True))
    op.add_column("export_task", sa.Column("waiting_since", UtcDateTime(), nullable=True))
    op.add_column(
        "export_task",
        sa.Column("run_alone", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "run_alone")
    op.drop_column("export_task", "waiting_since")
    op.drop_column("export_task", "waiting_for")
