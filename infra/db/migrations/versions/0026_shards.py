"""Shards of exports that several workers write together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from waybill.infra.db.tables import UtcDateTime
from waybill.infra.db.tables.base import JSON

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("export_task", sa.Column("shards", sa.Integer(), nullable=True))
    op.add_column(
        "export_task", sa.Column("shards_done", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "shard_plan",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("snapshot_at", UtcDateTime(), nullable=False),
        sa.Column("snapshot_state", JSON, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("rows_of_shard", sa.BigInteger(), nullable=False),
        sa.Column("notes", JSON, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_shard_plan"),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["export_task.id"],
            name="fk_shard_plan_task_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "export_shard",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("lower_key", sa.Text(), nullable=True),
        sa.Column("upper_key", sa.Text(), nullable=True),
        sa.Column("first_part", sa.Integer(), nullable=False),
        sa.Column("most_parts", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("rows_done", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("bytes_uploaded", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("parts", JSON, nullable=True),
        sa.Column("outcome", JSON, nullable=True),
        sa.PrimaryKeyConstraint("task_id", "number", name="pk_export_shard"),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["shard_plan.task_id"],
            name="fk_export_shard_task_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("state IN ('WAITING', 'RUNNING', 'DONE')", name="ck_export_shard_state"),
    )
    open_only = sa.text("state <> 'DONE'")
    op.create_index(
        "ix_export_shard_open",
        "export_shard",
        ["queue"],
        postgresql_where=open_only,
        sqlite_where=open_only,
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("export_shard")
    op.drop_table("shard_plan")
    op.drop_column("export_task", "shards_done")
    op.drop_column("export_task", "shards")
