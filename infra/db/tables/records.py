"""Tables beside the tasks: audit log, counts of quotas and rates, secrets, revocations."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.tables.base import IDENTITY, JSON, UtcDateTime, metadata

# Append-only: triggers in the migrations refuse every other change on both databases, but for the
# deletion of what `audit_archive` has.
audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", IDENTITY, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    # Null in entries of versions that did not record it; the tenant also where there is none.
    sa.Column("actor_kind", sa.Text()),
    sa.Column("actor_tenant", sa.Text()),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("task_id", sa.Uuid()),
    sa.Column("from_status", sa.Text()),
    sa.Column("to_status", sa.Text()),
    sa.Column("fence", sa.BigInteger()),
    sa.Column("detail", JSON),
    # Of the request that caused it; null for what workers, sweepers and commands do.
    sa.Column("request_id", sa.Text()),
    sa.Column("address", sa.Text()),
    sa.Index("ix_audit_log_task", "task_id", "id"),
    sa.Index("ix_audit_log_tenant", "tenant_id", "id"),
    sa.Index("ix_audit_log_actor", "actor", "id"),
    sa.Index("ix_audit_log_at", "at"),
)

# Hashes over runs of audit entries, each over the one before it as well; append-only, too.
audit_checkpoint = sa.Table(
    "audit_checkpoint",
    metadata,
    sa.Column("number", IDENTITY, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    # The run begins after the last entry of the checkpoint before.
    sa.Column("last_id", sa.BigInteger(), nullable=False),
    sa.Column("entries", sa.BigInteger(), nullable=False),
    sa.Column("hash", sa.Text(), nullable=False),
)

# Files that hold the entries of a checkpoint each, in order. What is archived and 30 days old may
# be deleted from the log; append-only, too.
audit_archive = sa.Table(
    "audit_archive",
    metadata,
    sa.Column("number", IDENTITY, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("key", sa.Text(), nullable=False),
    # Of the file, as `size_bytes` is.
    sa.Column("sha256", sa.Text(), nullable=False),
    sa.Column("size_bytes", sa.BigInteger(), nullable=False),
)

# Rows exported per user and day. The key serves both questions: a tenant's day, a user's day.
row_usage = sa.Table(
    "row_usage",
    metadata,
    sa.Column("tenant_id", sa.Text(), primary_key=True),
    # The UTC day on which the exports finished.
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("user_id", sa.Text(), primary_key=True),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Index("ix_row_usage_day", "day"),
)

# How often something may happen: `waybill.infra.db.token_buckets`. A full bucket needs no row.
token_bucket = sa.Table(
    "token_bucket",
    metadata,
    sa.Column("key", sa.Text(), primary_key=True),
    # When it will be full: microseconds since 1970, in UTC.
    sa.Column("full_at", sa.BigInteger(), nullable=False),
    sa.Index("ix_token_bucket_full", "full_at"),
)

# Queues in which a cap made a wake-up useless. When a run of the tenant ends in another queue,
# a new wake-up is sent, for as long as something waits there.
throttled_queue = sa.Table(
    "held_back",
    metadata,
    sa.Column("tenant_id", sa.Text(), primary_key=True),
    sa.Column("queue", sa.Text(), primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Index("ix_held_back_at", "at"),
)

# Tokens that are refused although they have not expired. Read by `waybill.infra.sessions`.
revocation = sa.Table(
    "revocation",
    metadata,
    sa.Column("id", IDENTITY, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    # When the last token that it names has expired; it is deleted then.
    sa.Column("expires_at", UtcDateTime(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    # Empty where the kind does not use them.
    sa.Column("tenant_id", sa.Text(), nullable=False, server_default=""),
    sa.Column("user_id", sa.Text(), nullable=False, server_default=""),
    # The fingerprint of a token, which no token can be made of, or its claim `jti`.
    sa.Column("token", sa.Text(), nullable=False, server_default=""),
    sa.CheckConstraint("kind IN ('token', 'token_id', 'user', 'tenant', 'everybody')", name="kind"),
    sa.Index("ix_revocation_at", "at"),
    sa.Index("ix_revocation_expiry", "expires_at"),
)

# Drawn by whichever process needs one first: `waybill.infra.db.shared_secret`.
shared_secret = sa.Table(
    "shared_secret",
    metadata,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("secret", sa.Text(), nullable=False),
)
