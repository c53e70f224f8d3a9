"""An index that finds the files that were shared with somebody."""

from __future__ import annotations

from alembic import op

from waybill.infra.db.migrations.indexes import build_index

revision = "0025"
down_revision = "0024"
online = True

_NAME = "ix_share_link_recipient"
_COLUMNS = ["tenant_id", "recipient", "created_at"]


def upgrade() -> None:
    """Apply the change."""
    build_index(_NAME, "share_link", _COLUMNS, where="recipient IS NOT NULL")


def downgrade() -> None:
    """Undo the change."""
    op.drop_index(_NAME, "share_link")
