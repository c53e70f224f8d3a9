"""What a list is searched for, and the file name as it was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("filename_pattern", sa.Text(), nullable=True))
    op.add_column("export_task", sa.Column("search_text", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("export_task", "search_text")
    op.drop_column("export_task", "filename_pattern")
