"""Heartbeats of workers, and dead letters that an operator dismissed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime
from waybill.infra.db.tables.base import JSON

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "worker",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queues", JSON, nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("exports_at_once", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_worker"),
    )
    op.create_index("ix_worker_seen", "worker", ["seen_at"])
    op.add_column("dead_letter", sa.Column("dismissed_at", UtcDateTime(), nullable=True))
    op.add_column("dead_letter", sa.Column("dismissed_by", sa.Text(), nullable=True))
    op.add_column("dead_letter", sa.Column("dismiss_note", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("dead_letter", "dismiss_note")
    op.drop_column("dead_letter", "dismissed_by")
    op.drop_column("dead_letter", "dismissed_at")
    op.drop_table("worker")
