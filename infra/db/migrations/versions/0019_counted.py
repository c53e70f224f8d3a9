"""An index that counts a user's tasks, also those of one state or dataset."""

from __future__ import annotations

from alembic import op

from waybill.infra.db.migrations.indexes import build_index

revision = "0019"
down_revision = "0018"
online = True

_NAME = "ix_export_task_counted"
_COLUMNS = ["tenant_id", "created_by", "status", "task_type"]


def upgrade() -> None:
    """Apply the change."""
    build_index(_NAME, "export_task", _COLUMNS)


def downgrade() -> None:
    """Undo the change."""
    op.drop_index(_NAME, "export_task")
