"""Indexes of 0002, which blocked every write where there were many tasks, and of retention."""

from __future__ import annotations

from alembic import op

from waybill.infra.db.migrations.indexes import build_index

revision = "0011"
down_revision = "0010"
online = True

_LIVE = "status IN ('PENDING', 'PROCESSING')"
#: Table, columns and condition, by the name of the index.
_INDEXES: dict[str, tuple[str, list[str], str | None]] = {
    "ix_export_task_created": ("export_task", ["created_at", "id"], None),
    "ix_export_task_failed": ("export_task", ["created_at", "id"], "status = 'FAILED'"),
    "ix_export_task_fresh": (
        "export_task",
        ["tenant_id", "flight_key", "snapshot_at"],
        "flight_key IS NOT NULL AND status = 'SUCCESS'",
    ),
    "ix_export_task_history": (
        "export_task",
        ["tenant_id", "task_type", "format", "finished_at"],
        "rows_written IS NOT NULL",
    ),
    "ix_export_task_joined": ("export_task", ["joined_id"], "joined_id IS NOT NULL"),
    "ix_export_task_object": ("export_task", ["object_key"], "object_key IS NOT NULL"),
    "ix_export_task_queue": (
        "export_task",
        ["queue", "tenant_id", "created_at"],
        "status = 'PENDING' AND joined_id IS NULL",
    ),
    "ix_export_task_running": (
        "export_task",
        ["tenant_id", "created_by"],
        "status = 'PROCESSING'",
    ),
    "ix_export_task_started": (
        "export_task",
        ["tenant_id", "started_at"],
        "started_at IS NOT NULL",
    ),
    "ix_export_task_updated": ("export_task", ["updated_at"], None),
    "uq_export_task_flight": (
        "export_task",
        ["tenant_id", "flight_key"],
        f"flight_key IS NOT NULL AND joined_id IS NULL AND {_LIVE}",
    ),
    "ix_audit_log_tenant": ("audit_log", ["tenant_id", "id"], None),
    "ix_audit_log_actor": ("audit_log", ["actor", "id"], None),
    "ix_audit_log_at": ("audit_log", ["at"], None),
    "ix_export_task_ended": (
        "export_task",
        ["updated_at"],
        "status IN ('FAILED', 'CANCELLED', 'EXPIRED')",
    ),
    "ix_outbox_published": ("outbox", ["published_at"], "published_at IS NOT NULL"),
    "ix_dead_letter_at": ("dead_letter", ["at"], None),
    "ix_row_usage_day": ("row_usage", ["day"], None),
    "ix_held_back_at": ("held_back", ["at"], None),
}


def upgrade() -> None:
    """Apply the change."""
    for name, (table, columns, condition) in _INDEXES.items():
        build_index(name, table, columns, where=condition, unique=name.startswith("uq_"))


def downgrade() -> None:
    """Undo the change."""
    for name, (table, _columns, _condition) in _INDEXES.items():
        op.drop_index(name, table)
