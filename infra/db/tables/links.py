"""The table of links that people share with colleagues."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.engine import UtcDateTime
from waybill.infra.db.tables.tasks import export_task, metadata

share_link = sa.Table(
    "share_link",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("task_id", sa.Uuid(), sa.ForeignKey("export_task.id"), nullable=False),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    # What the sharer might do then; see `ShareLinks.find` for what is made of it.
    sa.Column("roles", export_task.c.roles.type, nullable=False),
    # SHA-256 of the token: whoever reads this table cannot follow the links.
    sa.Column("token_hash", sa.Text(), nullable=False),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("expires_at", UtcDateTime()),
    sa.Column("max_uses", sa.Integer()),
    sa.Column("uses", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("last_used_at", UtcDateTime()),
    sa.Column("revoked_at", UtcDateTime()),
    sa.CheckConstraint("max_uses IS NULL OR uses <= max_uses", name="uses"),
    sa.UniqueConstraint("token_hash"),
    sa.Index("ix_share_link_task", "task_id"),
    sa.Index("ix_share_link_sharer", "tenant_id", "created_by", "created_at"),
)
