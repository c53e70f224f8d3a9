"""An index that finds the exports that wait for an answer."""

from __future__ import annotations

from alembic import op

from waybill.infra.db.migrations.indexes import build_index

revision = "0028"
down_revision = "0027"
online = True

_NAME = "ix_export_task_asked"
_WHERE = "approval = 'ASKED' AND status = 'PENDING'"


def upgrade() -> None:
    """Apply the change."""
    build_index(_NAME, "export_task", ["tenant_id", "created_at"], where=_WHERE)


def downgrade() -> None:
    """Undo the change."""
    op.drop_index(_NAME, "export_task")
