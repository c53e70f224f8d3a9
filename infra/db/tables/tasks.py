"""Tables of tasks: each export asked for, its stored file, and the links shared to it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa

from waybill.infra.db.tables.base import JSON, UtcDateTime, metadata, partial_index


class TaskStatus(StrEnum):
    """The states of a task, as `export_task.status` holds them. Part of the HTTP contract."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


#: States in which a task still has work ahead; at most one live task per dedupe key.
LIVE: tuple[TaskStatus, ...] = (TaskStatus.PENDING, TaskStatus.PROCESSING)
#: States in which a task has ended and has no file.
ENDED_WITHOUT_FILE: tuple[TaskStatus, ...] = (
    TaskStatus.FAILED,
    TaskStatus.CANCELLED,
    TaskStatus.EXPIRED,
)


def _listed(statuses: Iterable[TaskStatus]) -> str:
    return ", ".join(f"'{status}'" for status in statuses)


_IS_LIVE = f"status IN ({_listed(LIVE)})"

export_task = sa.Table(
    "export_task",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    # The roles at the time of asking; rights are checked again with them when it runs.
    sa.Column("roles", JSON, nullable=False),
    # What else was known of the owner at that time, for row rules; NULL for nothing.
    sa.Column("attributes", JSON),
    sa.Column("task_type", sa.Text(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("format", sa.Text(), nullable=False),
    sa.Column("params", JSON, nullable=False),
    sa.Column("filename", sa.Text(), nullable=False),
    # The name as it was asked for, with its placeholders; empty for an automatic one, and NULL
    # for a task of an older version.
    sa.Column("filename_pattern", sa.Text()),
    # File name and filters, case-folded: what the search of the list looks at.
    sa.Column("search_text", sa.Text()),
    sa.Column("parent_id", sa.Uuid()),
    # The span of the request, by W3C Trace Context; NULL when it was not traced.
    sa.Column("traceparent", sa.Text()),
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
    # Random, one for each claim: two histories of a database that failed over may use the same
    # fence. NULL while there is no claim, and for a claim of a process of an older version.
    sa.Column("claim_id", sa.Uuid()),
    # Rises at each change; the ETag.
    sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.Text()),
    sa.Column("lease_expires_at", UtcDateTime()),
    sa.Column("next_attempt_at", UtcDateTime()),
    # The part of the installation that a PENDING task waits for, and since when: a fault of it
    # costs no attempt, and this time ends the wait.
    sa.Column("waiting_for", sa.Text()),
    sa.Column("waiting_since", UtcDateTime()),
    # Its last worker was lost or ran out of memory: no other export may run beside it.
    sa.Column("run_alone", sa.Boolean(), nullable=False, server_default=sa.false()),
    # Its export is paused, so that others of its queue pass; and how often it was.
    sa.Column("paused_since", UtcDateTime()),
    sa.Column("pauses", sa.Integer(), nullable=False, server_default="0"),
    # Shards of its file and those that are written; NULL where it is written as one.
    sa.Column("shards", sa.Integer()),
    sa.Column("shards_done", sa.Integer(), nullable=False, server_default="0"),
    # Files of a set; NULL where it is one file.
    sa.Column("files", sa.Integer()),
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
    sa.Column("warnings", JSON),
    # Never logged, never audited, and shown only after the owner's rights were checked again.
    sa.Column("download_url", sa.Text()),
    sa.Column("url_expires_at", UtcDateTime()),
    # When that link was first shown, which is audited once for each link.
    sa.Column("link_shown_at", UtcDateTime()),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("updated_at", UtcDateTime(), nullable=False),
    sa.Column("started_at", UtcDateTime()),
    sa.Column("finished_at", UtcDateTime()),
    sa.Column("expires_at", UtcDateTime()),
    # Where to send the notification of its end, by channel, as requested.
    sa.Column("notify", JSON),
    # How the file is to be written, where that is not the installation's default: `csv`.
    sa.Column("options", JSON),
    # SHA-256 of dataset, format and compiled query: equal keys of one tenant mean equal rows.
    sa.Column("flight_key", sa.Text()),
    # The leader: the task whose file this one shares. A follower that waits is never claimed.
    sa.Column("joined_id", sa.Uuid()),
    # Of a dataset that asks for an approval: ASKED, APPROVED, DECLINED or EXPIRED; until when an
    # answer is awaited, whose it is, and what they added. While it is ASKED, `next_attempt_at` is
    # `NEVER_BY_ITSELF`, so that no worker of any version claims it.
    sa.Column("approval", sa.Text()),
    sa.Column("approval_until", UtcDateTime()),
    sa.Column("decided_by", sa.Text()),
    sa.Column("decided_at", UtcDateTime()),
    sa.Column("decision_note", sa.Text()),
    # Estimate made at start; compared with the actual to calibrate later ones. The planner's
    # own number is kept apart, since the estimate is corrected by how it erred.
    sa.Column("planned_rows", sa.BigInteger()),
    sa.Column("predicted_rows", sa.BigInteger()),
    sa.Column("predicted_bytes", sa.BigInteger()),
    sa.Column("predicted_seconds", sa.Float()),
    sa.CheckConstraint(f"status IN ({_listed(TaskStatus)})", name="status"),
    sa.CheckConstraint("0 <= attempt AND attempt <= max_attempts", name="attempt"),
    sa.CheckConstraint(
        "(status = 'PROCESSING') = (lease_expires_at IS NOT NULL)", name="lease_while_processing"
    ),
    sa.CheckConstraint(
        "status <> 'SUCCESS' OR (object_key IS NOT NULL AND etag IS NOT NULL"
        " AND size_bytes IS NOT NULL AND sha256 IS NOT NULL)",
        name="success_has_object",
    ),
    partial_index(
        "uq_export_task_dedupe",
        "tenant_id",
        "created_by",
        "task_type",
        "dedupe_key",
        where=f"dedupe_key IS NOT NULL AND {_IS_LIVE}",
        unique=True,
    ),
    partial_index(
        "uq_export_task_idempotency",
        "tenant_id",
        "created_by",
        "idempotency_key",
        where="idempotency_key IS NOT NULL",
        unique=True,
    ),
    partial_index("ix_export_task_lease", "lease_expires_at", where="lease_expires_at IS NOT NULL"),
    # Operators list the newest tasks of all tenants.
    sa.Index("ix_export_task_created", "created_at", "id"),
    # Operators look for failures, which are few among all tasks.
    partial_index("ix_export_task_failed", "created_at", "id", where="status = 'FAILED'"),
    sa.Index("ix_export_task_owner", "tenant_id", "created_by", "created_at", "id"),
    # The total above a list, also of one state or dataset. Its entries are nearly all alike, so
    # PostgreSQL stores 100,000 of them in 700 KB, and counts them without a look at the table.
    sa.Index("ix_export_task_counted", "tenant_id", "created_by", "status", "task_type"),
    partial_index("ix_export_task_pending", "updated_at", where="status = 'PENDING'"),
    partial_index("ix_export_task_expiry", "expires_at", where="status = 'SUCCESS'"),
    # Tasks whose record is deleted some time after their end.
    partial_index(
        "ix_export_task_ended",
        "updated_at",
        where=f"status IN ({_listed(ENDED_WITHOUT_FILE)})",
    ),
    # One live leader for each single-flight key; equal requests join it.
    partial_index(
        "uq_export_task_flight",
        "tenant_id",
        "flight_key",
        where=f"flight_key IS NOT NULL AND joined_id IS NULL AND {_IS_LIVE}",
        unique=True,
    ),
    partial_index(
        "ix_export_task_fresh",
        "tenant_id",
        "flight_key",
        "snapshot_at",
        where="flight_key IS NOT NULL AND status = 'SUCCESS'",
    ),
    # What waits for an answer, which is little.
    partial_index(
        "ix_export_task_asked",
        "tenant_id",
        "created_at",
        where="approval = 'ASKED' AND status = 'PENDING'",
    ),
    partial_index("ix_export_task_joined", "joined_id", where="joined_id IS NOT NULL"),
    partial_index("ix_export_task_object", "object_key", where="object_key IS NOT NULL"),
    # Tasks a worker may claim, of each tenant in a queue, oldest first.
    partial_index(
        "ix_export_task_queue",
        "queue",
        "tenant_id",
        "created_at",
        where="status = 'PENDING' AND joined_id IS NULL",
    ),
    partial_index(
        "ix_export_task_running", "tenant_id", "created_by", where="status = 'PROCESSING'"
    ),
    # When each tenant was served last.
    partial_index(
        "ix_export_task_started", "tenant_id", "started_at", where="started_at IS NOT NULL"
    ),
    partial_index(
        "ix_export_task_history",
        "tenant_id",
        "task_type",
        "format",
        "finished_at",
        where="rows_written IS NOT NULL",
    ),
    # Event streams read everything that changed since their last poll.
    sa.Index("ix_export_task_updated", "updated_at"),
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
    sa.Column("claim_id", sa.Uuid()),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    # Of a file of a set: the key of its manifest, which tasks refer to.
    sa.Column("set_key", sa.Text()),
    # Of such a file the planned rows; and of it and of its manifest what it is, once it is written.
    sa.Column("rows", sa.BigInteger()),
    sa.Column("size_bytes", sa.BigInteger()),
    sa.Column("sha256", sa.Text()),
    sa.CheckConstraint("state IN ('OPEN', 'STORED')", name="state"),
    sa.Index("ix_storage_object_task", "task_id"),
    partial_index("ix_storage_object_open", "created_at", where="state = 'OPEN'"),
)

# Keys of a file with a password, sealed for its worker, and how many sets of them were used. The
# row goes when its task ends. A table of its own: nothing that reads tasks reads it.
file_key = sa.Table(
    "file_key",
    metadata,
    sa.Column(
        "task_id", sa.Uuid(), sa.ForeignKey("export_task.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("sealed", sa.LargeBinary(), nullable=False),
    sa.Column("sets_used", sa.Integer(), nullable=False, server_default="0"),
)

# Links to a file that its owner shares with colleagues.
share_link = sa.Table(
    "share_link",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("task_id", sa.Uuid(), sa.ForeignKey("export_task.id"), nullable=False),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    # The roles of the sharer at that time; `ShareLinks.find` uses the latest ones on record.
    sa.Column("roles", JSON, nullable=False),
    # SHA-256 of the token, so that reading this table does not open any link.
    sa.Column("token_hash", sa.Text(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime()),
    sa.Column("max_uses", sa.Integer()),
    sa.Column("uses", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("last_used_at", UtcDateTime()),
    sa.Column("revoked_at", UtcDateTime()),
    # The address that it was mailed to, in lower case. Who logs in with it finds the file.
    sa.Column("recipient", sa.Text()),
    sa.CheckConstraint("max_uses IS NULL OR uses <= max_uses", name="uses"),
    sa.UniqueConstraint("token_hash"),
    sa.Index("ix_share_link_task", "task_id"),
    sa.Index("ix_share_link_sharer", "tenant_id", "created_by", "created_at"),
    partial_index(
        "ix_share_link_recipient",
        "tenant_id",
        "recipient",
        "created_at",
        where="recipient IS NOT NULL",
    ),
)


def in_status(*statuses: TaskStatus, table: sa.FromClause = export_task) -> sa.ColumnElement[bool]:
    """The condition that a task is in one of `statuses`, as constants.

    With bound values PostgreSQL may plan once for all of them, and use no partial index then.
    """
    # Only a `TaskStatus` is written into the statement, so no text of a caller can be.
    constants = [sa.literal_column(f"'{TaskStatus(status)}'", sa.Text()) for status in statuses]
    if len(constants) == 1:
        return table.c.status == constants[0]
    return table.c.status.in_(constants)
