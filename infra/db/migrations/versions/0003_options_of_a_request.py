"""Options of a request: how its file is to be written, beyond the format."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("options", JSON, nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "options")
