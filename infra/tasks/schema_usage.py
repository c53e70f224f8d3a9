"""The table of rows that users got, by day: what daily quotas are counted by."""

from __future__ import annotations

import sqlalchemy as sa

from infra.tasks.schema import metadata

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
