"""Saved exports, schedules, their runs, and what is known of their owners."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime
from waybill.infra.db.tables.base import JSON

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "saved_export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("task_type", sa.Text(), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_export"),
        sa.UniqueConstraint(
            "tenant_id",
            "created_by",
            "name_key",
            name="uq_saved_export_tenant_id_created_by_name_key",
        ),
    )
    op.create_index("ix_saved_export_list", "saved_export", ["tenant_id", "name_key", "id"])
    op.create_table(
        "schedule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("saved_export_id", sa.Uuid(), nullable=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("notify", JSON, nullable=True),
        sa.Column("next_slot", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("paused_code", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("last_task_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedule"),
        sa.ForeignKeyConstraint(
            ["saved_export_id"], ["saved_export.id"], name="fk_schedule_saved_export_id"
        ),
    )
    unpaused = sa.text("paused_at IS NULL")
    op.create_index(
        "ix_schedule_due",
        "schedule",
        ["due_at"],
        postgresql_where=unpaused,
        sqlite_where=unpaused,
    )
    op.create_index(
        "ix_schedule_owner", "schedule", ["tenant_id", "created_by", "created_at", "id"]
    )
    op.create_index("ix_schedule_list", "schedule", ["tenant_id", "created_at", "id"])
    op.create_index("ix_schedule_saved_export", "schedule", ["saved_export_id"])
    op.create_table(
        "schedule_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("slot", UtcDateTime(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("missed", sa.Integer(), nullable=False, server_default="0"),
        sa.CheckConstraint(
            "outcome IN ('submitted', 'skipped', 'refused')", name="ck_schedule_run_outcome"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_run"),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedule.id"], name="fk_schedule_run_schedule_id"
        ),
        sa.UniqueConstraint("schedule_id", "slot", name="uq_schedule_run_schedule_id_slot"),
    )
    op.create_index("ix_schedule_run_at", "schedule_run", ["at"])
    op.create_table(
        "schedule_owner",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("attributes", JSON, nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name="pk_schedule_owner"),
    )


def downgrade() -> None:
    """Undo the change."""
    for table in ("schedule_owner", "schedule_run", "schedule", "saved_export"):
        op.drop_table(table)
