"""Single flight, quotas, estimates, share links, and telling people how their tasks ended.

The indexes of tables that are in use are built by 0011.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from waybill.infra.db.tables import UtcDateTime

revision = "0002"
down_revision = "0001"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_NEW_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "notify": JSON,
    "flight_key": sa.Text(),
    "joined_id": sa.Uuid(),
    "planned_rows": sa.BigInteger(),
    "predicted_rows": sa.BigInteger(),
    "predicted_bytes": sa.BigInteger(),
    "predicted_seconds": sa.Float(),
}


def upgrade() -> None:
    """Apply the change."""
    for name, kind in _NEW_COLUMNS.items():
        op.add_column("export_task", sa.Column(name, kind, nullable=True))

    op.create_table(
        "row_usage",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "user_id", name="pk_row_usage"),
    )
    op.create_table(
        "held_back",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "queue", name="pk_held_back"),
    )

    op.create_table(
        "share_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("max_uses IS NULL OR uses <= max_uses", name="uses"),
        sa.ForeignKeyConstraint(["task_id"], ["export_task.id"], name="fk_share_link_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_share_link"),
        sa.UniqueConstraint("token_hash", name="uq_share_link_token_hash"),
    )
    op.create_index("ix_share_link_task", "share_link", ["task_id"])
    op.create_index("ix_share_link_sharer", "share_link", ["tenant_id", "created_by", "created_at"])

    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("available_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("given_up_at", UtcDateTime(), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("channel IN ('webhook', 'email', 'notice')", name="channel"),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
        sa.UniqueConstraint(
            "task_id", "channel", "event", name="uq_notification_task_id_channel_event"
        ),
    )
    op.create_index("ix_notification_user", "notification", ["tenant_id", "user_id", "created_at"])
    op.create_index("ix_notification_age", "notification", ["created_at"])
    op.create_index(
        "ix_notification_due",
        "notification",
        ["available_at"],
        **_where("delivered_at IS NULL AND given_up_at IS NULL"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("notification")
    op.drop_table("share_link")
    op.drop_table("row_usage")
    op.drop_table("held_back")
    for name in _NEW_COLUMNS:
        op.drop_column("export_task", name)


def _where(condition: str | None) -> dict[str, Any]:
    """A partial index, said once for both databases."""
    if condition is None:
        return {}
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
