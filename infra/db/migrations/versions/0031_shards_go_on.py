"""How far a shard is written, so that another worker can go on inside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables.base import JSON

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_shard", sa.Column("reached", JSON, nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_shard", "reached")
