"""The tables of the task life cycle: the same text on PostgreSQL and SQLite.

`waybill.infra.db.migrations` creates them; a test compares the two, so neither can drift.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from waybill.infra.db.engine import UtcDateTime
from waybill.infra.tasks.states import LIVE, TaskStatus

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_live = "status IN ({})".format(", ".join(f"'{status}'" for status in LIVE))
_statuses = ", ".join(f"'{status}'" for status in TaskStatus)

export_task = sa.Table(
    "export_task",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    # The roles at the time of asking; rights are checked again with them when it runs.
    sa.Column("roles", _json, nullable=False),
    sa.Column("task_type", sa.Text(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("format", sa.Text(), nullable=False),
    sa.Column("params", _json, nullable=False),
    sa.Column("filename", sa.Text(), nullable=False),
    sa.Column("parent_id", sa.Uuid()),
    # SHA-256 of the canonical request; one live task per owner, type and key.
    sa.Column("dedupe_key", sa.Text()),
    sa.Column("idempotency_key", sa.Text()),
    sa.Column("request_hash", sa.Text()),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Column("error_code", sa.Text()),
    sa.Column("error_message", sa.Text()),
    sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("retry_count", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("max_attempts", sa.Integer(), nullable=False),
    # Rises at each claim and each loss of a claim; every later write names its fence.
    sa.Column("fence", sa.BigInteger(), nullable=False, server_default="0"),
    # Rises at each change; the ETag.
    sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.Text()),
    sa.Column("lease_expires_at", UtcDateTime()),
    sa.Column("next_attempt_at", UtcDateTime()),
    sa.Column("cancel_requested_at", UtcDateTime()),
    sa.Column("rows_done", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("rows_total", sa.BigInteger()),
    sa.Column("bytes_uploaded", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("snapshot_at", UtcDateTime()),
    sa.Column("object_key", sa.Text()),
    sa.Column("etag", sa.Text()),
    sa.Column("sha256", sa.Text()),
    sa.Column("size_bytes", sa.BigInteger()),
    sa.Column("rows_source", sa.BigInteger()),
    sa.Column("rows_written", sa.BigInteger()),
    sa.Column("warnings", _json),
    # A cache for the owner: key and expiry are the truth. Never logged, never audited.
    sa.Column("download_url", sa.Text()),
    sa.Column("url_expires_at", UtcDateTime()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("updated_at", UtcDateTime(), nullable=False),
    sa.Column("started_at", UtcDateTime()),
    sa.Column("finished_at", UtcDateTime()),
    sa.Column("expires_at", UtcDateTime()),
    # Who wants to be told of the end, as asked for.
    sa.Column("notify", _json),
    # SHA-256 of dataset, format and compiled query: equal keys of one tenant mean equal rows.
    sa.Column("flight_key", sa.Text()),
    # The task whose file this one gets or got. While it waits for it, it is never claimed.
    sa.Column("joined_id", sa.Uuid()),
    # What was foretold when work began; what came true calibrates the next estimate. The
    # planner's own number is kept apart, since the prediction is corrected by it.
    sa.Column("planned_rows", sa.BigInteger()),
    sa.Column("predicted_rows", sa.BigInteger()),
    sa.Column("predicted_bytes", sa.BigInteger()),
    sa.Column("predicted_seconds", sa.Float()),
    sa.CheckConstraint(f"status IN ({_statuses})", name="status"),
    sa.CheckConstraint("0 <= attempt AND attempt <= max_attempts", name="attempt"),
    sa.CheckConstraint(
        "(status = 'PROCESSING') = (lease_expires_at IS NOT NULL)", name="lease_while_processing"
    ),
    sa.CheckConstraint(
        "status <> 'SUCCESS' OR (object_key IS NOT NULL AND etag IS NOT NULL"
        " AND size_bytes IS NOT NULL AND sha256 IS NOT NULL)",
        name="success_has_object",
    ),
    sa.Index(
        "uq_export_task_dedupe",
        "tenant_id",
        "created_by",
        "task_type",
        "dedupe_key",
        unique=True,
        postgresql_where=sa.text(f"dedupe_key IS NOT NULL AND {_live}"),
        sqlite_where=sa.text(f"dedupe_key IS NOT NULL AND {_live}"),
    ),
    sa.Index(
        "uq_export_task_idempotency",
        "tenant_id",
        "created_by",
        "idempotency_key",
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
    ),
    sa.Index(
        "ix_export_task_lease",
        "lease_expires_at",
        postgresql_where=sa.text("lease_expires_at IS NOT NULL"),
        sqlite_where=sa.text("lease_expires_at IS NOT NULL"),
    ),
    # What operators list: the newest of all tenants.
    sa.Index("ix_export_task_created", "created_at", "id"),
    # Failures are few among all tasks, and what operators look for.
    sa.Index(
        "ix_export_task_failed",
        "created_at",
        "id",
        postgresql_where=sa.text("status = 'FAILED'"),
        sqlite_where=sa.text("status = 'FAILED'"),
    ),
    sa.Index("ix_export_task_owner", "tenant_id", "created_by", "created_at", "id"),
    sa.Index(
        "ix_export_task_pending",
        "updated_at",
        postgresql_where=sa.text("status = 'PENDING'"),
        sqlite_where=sa.text("status = 'PENDING'"),
    ),
    sa.Index(
        "ix_export_task_expiry",
        "expires_at",
        postgresql_where=sa.text("status = 'SUCCESS'"),
        sqlite_where=sa.text("status = 'SUCCESS'"),
    ),
    # One live leader of each flight; others join it.
    sa.Index(
        "uq_export_task_flight",
        "tenant_id",
        "flight_key",
        unique=True,
        postgresql_where=sa.text(f"flight_key IS NOT NULL AND joined_id IS NULL AND {_live}"),
        sqlite_where=sa.text(f"flight_key IS NOT NULL AND joined_id IS NULL AND {_live}"),
    ),
    sa.Index(
        "ix_export_task_fresh",
        "tenant_id",
        "flight_key",
        "snapshot_at",
        postgresql_where=sa.text("flight_key IS NOT NULL AND status = 'SUCCESS'"),
        sqlite_where=sa.text("flight_key IS NOT NULL AND status = 'SUCCESS'"),
    ),
    sa.Index(
        "ix_export_task_joined",
        "joined_id",
        postgresql_where=sa.text("joined_id IS NOT NULL"),
        sqlite_where=sa.text("joined_id IS NOT NULL"),
    ),
    sa.Index(
        "ix_export_task_object",
        "object_key",
        postgresql_where=sa.text("object_key IS NOT NULL"),
        sqlite_where=sa.text("object_key IS NOT NULL"),
    ),
    # What a worker may claim: of each tenant in a queue, the oldest first.
    sa.Index(
        "ix_export_task_queue",
        "queue",
        "tenant_id",
        "created_at",
        postgresql_where=sa.text("status = 'PENDING' AND joined_id IS NULL"),
        sqlite_where=sa.text("status = 'PENDING' AND joined_id IS NULL"),
    ),
    sa.Index(
        "ix_export_task_running",
        "tenant_id",
        "created_by",
        postgresql_where=sa.text("status = 'PROCESSING'"),
        sqlite_where=sa.text("status = 'PROCESSING'"),
    ),
    # Whose last turn is how long ago.
    sa.Index(
        "ix_export_task_started",
        "tenant_id",
        "started_at",
        postgresql_where=sa.text("started_at IS NOT NULL"),
        sqlite_where=sa.text("started_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_export_task_history",
        "tenant_id",
        "task_type",
        "format",
        "finished_at",
        postgresql_where=sa.text("rows_written IS NOT NULL"),
        sqlite_where=sa.text("rows_written IS NOT NULL"),
    ),
    # What an event stream asks for: everything that changed since it last looked.
    sa.Index("ix_export_task_updated", "updated_at"),
)


def in_status(*statuses: TaskStatus, table: sa.FromClause = export_task) -> sa.ColumnElement[bool]:
    """The condition that a task is in one of `statuses`, as literal text.

    With bound values PostgreSQL may plan once for all of them, and use no partial index then.
    """
    return table.c.status.in_([sa.literal_column(f"'{status}'") for status in statuses])


# One row per wake-up. UNIQUE (task, kind, fence) lets sweepers run any number of times.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", identity, primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.Uuid(), sa.ForeignKey("export_task.id"), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("fence", sa.BigInteger(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("delay_seconds", sa.Float(), nullable=False, server_default="0"),
    # Set on dead letters only: why the task ended.
    sa.Column("reason", sa.Text()),
    sa.Column("available_at", UtcDateTime(), nullable=False),
    sa.Column("claimed_until", UtcDateTime()),
    sa.Column("publish_attempts", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("published_at", UtcDateTime()),
    sa.UniqueConstraint("task_id", "kind", "fence"),
    sa.Index(
        "ix_outbox_unpublished",
        "available_at",
        postgresql_where=sa.text("published_at IS NULL"),
        sqlite_where=sa.text("published_at IS NULL"),
    ),
)

# Append-only: triggers in the migration refuse UPDATE and DELETE on both databases.
audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", identity, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("task_id", sa.Uuid()),
    sa.Column("from_status", sa.Text()),
    sa.Column("to_status", sa.Text()),
    sa.Column("fence", sa.BigInteger()),
    sa.Column("detail", _json),
    sa.Index("ix_audit_log_task", "task_id", "id"),
    sa.Index("ix_audit_log_tenant", "tenant_id", "id"),
    sa.Index("ix_audit_log_actor", "actor", "id"),
    sa.Index("ix_audit_log_at", "at"),
)

# Written before an upload begins, so collecting orphans never has to guess. OPEN: no task
# refers to it (yet, or any more); STORED: the file of a finished task.
storage_object = sa.Table(
    "storage_object",
    metadata,
    sa.Column("key", sa.Text(), primary_key=True),
    # No foreign key: an object whose task was deleted is an orphan, and must stay on record.
    sa.Column("task_id", sa.Uuid(), nullable=False),
    sa.Column("fence", sa.BigInteger(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.CheckConstraint("state IN ('OPEN', 'STORED')", name="state"),
    sa.Index("ix_storage_object_task", "task_id"),
    sa.Index(
        "ix_storage_object_open",
        "created_at",
        postgresql_where=sa.text("state = 'OPEN'"),
        sqlite_where=sa.text("state = 'OPEN'"),
    ),
)
