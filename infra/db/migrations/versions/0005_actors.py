"""The audit log names what an actor is, and of which tenant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NEW_COLUMNS = ("actor_kind", "actor_tenant")


def upgrade() -> None:
    """Apply the change."""
    for name in _NEW_COLUMNS:
        op.add_column("audit_log", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    for name in _NEW_COLUMNS:
        op.drop_column("audit_log", name)
