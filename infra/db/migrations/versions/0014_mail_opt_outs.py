"""Mailboxes that opted out, and the token bucket of each notification's receiver."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "mail_opt_out",
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name="pk_mail_opt_out"),
    )
    op.add_column("notification", sa.Column("bucket", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    op.drop_column("notification", "bucket")
    op.drop_table("mail_opt_out")
