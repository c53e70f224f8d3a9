"""What quotas and caps keep beside the tasks: rows that users got, and who was held back."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.engine import UtcDateTime
from waybill.infra.db.tables.tasks import metadata

# In the order of the questions: all of a tenant's day, or one user's.
row_usage = sa.Table(
    "row_usage",
    metadata,
    sa.Column("tenant_id", sa.Text(), primary_key=True),
    # The UTC day on which the exports finished.
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("user_id", sa.Text(), primary_key=True),
    sa.Column("rows", sa.BigInteger(), nullable=False),
)

# Where a wake-up was spent because a cap let nothing begin. The ends of the tenant's runs in
# other queues send new ones, for as long as something waits there.
held_back = sa.Table(
    "held_back",
    metadata,
    sa.Column("tenant_id", sa.Text(), primary_key=True),
    sa.Column("queue", sa.Text(), primary_key=True),
    sa.Column("at", UtcDateTime(), nullable=False),
)
