"""Approvals: exports that wait for the answer of a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Apply the change."""
    for column in (
        sa.Column("approval", sa.Text(), nullable=True),
        sa.Column("approval_until", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
    ):
        op.add_column("export_task", column)


def downgrade() -> None:
    """Undo the change."""
    for name in ("decision_note", "decided_at", "decided_by", "approval_until", "approval"):
        op.drop_column("export_task", name)
