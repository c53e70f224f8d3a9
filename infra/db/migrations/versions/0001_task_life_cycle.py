"""The task life cycle: tasks, outbox, audit log, and the record of stored objects."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from waybill.infra.db.tables import UtcDateTime

revision = "0001"
down_revision = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "audit_log",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=True),
        sa.Column("detail", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_task", "audit_log", ["task_id", "id"], unique=False)

    op.create_table(
        "export_task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("task_type", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("cancel_requested_at", UtcDateTime(), nullable=True),
        sa.Column("rows_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.BigInteger(), nullable=True),
        sa.Column("bytes_uploaded", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("snapshot_at", UtcDateTime(), nullable=True),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("rows_source", sa.BigInteger(), nullable=True),
        sa.Column("rows_written", sa.BigInteger(), nullable=True),
        sa.Column("warnings", JSON, nullable=True),
        sa.Column("download_url", sa.Text(), nullable=True),
        sa.Column("url_expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(status = 'PROCESSING') = (lease_expires_at IS NOT NULL)",
            name="lease_while_processing",
        ),
        sa.CheckConstraint(
            "status <> 'SUCCESS' OR (object_key IS NOT NULL AND etag IS NOT NULL"
            " AND size_bytes IS NOT NULL AND sha256 IS NOT NULL)",
            name="success_has_object",
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'PROCESSING', 'SUCCESS', 'FAILED', 'CANCELLED', 'EXPIRED')",
            name="status",
        ),
        sa.CheckConstraint("0 <= attempt AND attempt <= max_attempts", name="attempt"),
        sa.PrimaryKeyConstraint("id", name="pk_export_task"),
    )
    op.create_index(
        "ix_export_task_expiry",
        "export_task",
        ["expires_at"],
        unique=False,
        **_where("status = 'SUCCESS'"),
    )
    op.create_index(
        "ix_export_task_lease",
        "export_task",
        ["lease_expires_at"],
        unique=False,
        **_where("lease_expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_export_task_owner",
        "export_task",
        ["tenant_id", "created_by", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_export_task_pending",
        "export_task",
        ["updated_at"],
        unique=False,
        **_where("status = 'PENDING'"),
    )
    op.create_index(
        "uq_export_task_dedupe",
        "export_task",
        ["tenant_id", "created_by", "task_type", "dedupe_key"],
        unique=True,
        **_where("dedupe_key IS NOT NULL AND status IN ('PENDING', 'PROCESSING')"),
    )
    op.create_index(
        "uq_export_task_idempotency",
        "export_task",
        ["tenant_id", "created_by", "idempotency_key"],
        unique=True,
        **_where("idempotency_key IS NOT NULL"),
    )

    op.create_table(
        "storage_object",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('OPEN', 'STORED')", name="state"),
        sa.PrimaryKeyConstraint("key", name="pk_storage_object"),
    )
    op.create_index(
        "ix_storage_object_open",
        "storage_object",
        ["created_at"],
        unique=False,
        **_where("state = 'OPEN'"),
    )
    op.create_index("ix_storage_object_task", "storage_object", ["task_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("delay_seconds", sa.Float(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("available_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("publish_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["export_task.id"], name="fk_outbox_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("task_id", "kind", "fence", name="uq_outbox_task_id_kind_fence"),
    )
    op.create_index(
        "ix_outbox_unpublished",
        "outbox",
        ["available_at"],
        unique=False,
        **_where("published_at IS NULL"),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("message_hash", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("replayed_at", UtcDateTime(), nullable=True),
        sa.Column("replayed_by", sa.Text(), nullable=True),
        sa.Column("replay_task_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letter"),
        sa.UniqueConstraint("message_hash", name="uq_dead_letter_message_hash"),
    )
    for refused in ("UPDATE", "DELETE"):
        op.execute(_append_only(op.get_context().dialect.name, refused))


def downgrade() -> None:
    """Undo the change."""
    for table in ("dead_letter", "outbox", "storage_object", "export_task", "audit_log"):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION waybill_refuse()")


def _where(condition: str) -> dict[str, Any]:
    """A partial index, said once for both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def _append_only(dialect: str, refused: str) -> str:
    """A trigger that keeps anybody, ourselves included, from rewriting the audit log."""
    name = f"audit_log_no_{refused.lower()}"
    if dialect == "postgresql":
        return f"""
            CREATE OR REPLACE FUNCTION waybill_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$;
            CREATE TRIGGER {name} BEFORE {refused} ON audit_log
            FOR EACH ROW EXECUTE FUNCTION waybill_refuse()
        """
    return f"""
        CREATE TRIGGER {name} BEFORE {refused} ON audit_log
        BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END
    """
