"""Tables of messages: wake-ups and notifications to be sent, and dead letters that came back."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.tables.base import IDENTITY, JSON, UtcDateTime, metadata, partial_index

# One row per wake-up. UNIQUE (task, kind, fence) lets sweepers run any number of times.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", IDENTITY, primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.Uuid(), sa.ForeignKey("export_task.id"), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("fence", sa.BigInteger(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("delay_seconds", sa.Float(), nullable=False, server_default="0"),
    # Set on dead letters only: why the task ended.
    sa.Column("reason", sa.Text()),
    # The trace of its task.
    sa.Column("traceparent", sa.Text()),
    # When it was committed; NULL for a message of an older version.
    sa.Column("added_at", UtcDateTime()),
    sa.Column("available_at", UtcDateTime(), nullable=False),
    sa.Column("claimed_until", UtcDateTime()),
    sa.Column("publish_attempts", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("published_at", UtcDateTime()),
    sa.UniqueConstraint("task_id", "kind", "fence"),
    partial_index("ix_outbox_unpublished", "available_at", where="published_at IS NULL"),
    partial_index("ix_outbox_published", "published_at", where="published_at IS NOT NULL"),
)

# One row for each channel, written in the commit that ends the task. No foreign key: a webhook
# is still delivered after its task has been deleted.
notification = sa.Table(
    "notification",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("task_id", sa.Uuid(), nullable=False),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("user_id", sa.Text(), nullable=False),
    # webhook, email, or notice: the list on the page.
    sa.Column("channel", sa.Text(), nullable=False),
    sa.Column("event", sa.Text(), nullable=False),
    # An address or a URL, whose path may be a secret; None for a notice.
    sa.Column("target", sa.Text()),
    # The token bucket of the receiving host or mailbox; None for a notice.
    sa.Column("bucket", sa.Text()),
    # Dataset, file name, and why it failed: the task may be gone when people read this.
    sa.Column("detail", JSON, nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("available_at", UtcDateTime(), nullable=False),
    sa.Column("claimed_until", UtcDateTime()),
    sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("last_status", sa.Integer()),
    sa.Column("last_error", sa.Text()),
    sa.Column("delivered_at", UtcDateTime()),
    sa.Column("given_up_at", UtcDateTime()),
    sa.Column("read_at", UtcDateTime()),
    sa.CheckConstraint("channel IN ('webhook', 'email', 'notice')", name="channel"),
    sa.UniqueConstraint("task_id", "channel", "event"),
    sa.Index("ix_notification_user", "tenant_id", "user_id", "created_at"),
    sa.Index("ix_notification_age", "created_at"),
    partial_index(
        "ix_notification_due", "available_at", where="delivered_at IS NULL AND given_up_at IS NULL"
    ),
)

# Mailboxes whose owners want no mails that others ask for, by the key of their token bucket: a
# hash, so this holds no address.
mail_opt_out = sa.Table(
    "mail_opt_out",
    metadata,
    sa.Column("mailbox", sa.Text(), primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False),
)

# Messages that the consumer of the dead-letter queue received; at most one row per message.
dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("id", IDENTITY, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("body", sa.Text(), nullable=False),
    sa.Column("message_hash", sa.Text(), nullable=False),
    # No foreign key: a message may name a task that never existed.
    sa.Column("task_id", sa.Uuid()),
    sa.Column("replayed_at", UtcDateTime()),
    sa.Column("replayed_by", sa.Text()),
    sa.Column("replay_task_id", sa.Uuid()),
    # An operator decided that nothing has to be done, and why.
    sa.Column("dismissed_at", UtcDateTime()),
    sa.Column("dismissed_by", sa.Text()),
    sa.Column("dismiss_note", sa.Text()),
    sa.UniqueConstraint("message_hash"),
    sa.Index("ix_dead_letter_at", "at"),
)
