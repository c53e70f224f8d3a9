"""The table of messages that ended, for operators."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.engine import UtcDateTime
from waybill.infra.db.tables.tasks import identity, metadata

# What the consumer of the dead-letter queue found; at most one row per message.
dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("id", identity, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("body", sa.Text(), nullable=False),
    sa.Column("message_hash", sa.Text(), nullable=False),
    # No foreign key: a message may speak of a task that never was.
    sa.Column("task_id", sa.Uuid()),
    sa.Column("replayed_at", UtcDateTime()),
    sa.Column("replayed_by", sa.Text()),
    sa.Column("replay_task_id", sa.Uuid()),
    sa.UniqueConstraint("message_hash"),
)
