"""The table of pauses: queues and datasets that workers take no exports from."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.tables.base import UtcDateTime, metadata

# A row while it is paused. The audit log keeps who paused and resumed it.
pause = sa.Table(
    "pause",
    metadata,
    # queue or dataset.
    sa.Column("kind", sa.Text(), primary_key=True),
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("by", sa.Text(), nullable=False),
    sa.Column("note", sa.Text(), nullable=False),
    sa.CheckConstraint("kind IN ('queue', 'dataset')", name="kind"),
)
