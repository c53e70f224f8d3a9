"""The table of what people are told about the end of their tasks."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.engine import UtcDateTime
from waybill.infra.db.tables.tasks import export_task, metadata

# One row for each way of telling, written in the commit that ends the task. No foreign key:
# a webhook is still owed when its task has been deleted.
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
    # Dataset, file name, and why it failed: the task may be gone when people read this.
    sa.Column("detail", export_task.c.params.type, nullable=False),
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
    sa.Index(
        "ix_notification_due",
        "available_at",
        postgresql_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
        sqlite_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
    ),
)
