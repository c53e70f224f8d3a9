"""Tables of the host; two have names that Waybill's have, too."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
invoices = sa.Table(
    "invoices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("company", sa.Text, nullable=False),
)
notification = sa.Table("notification", metadata, sa.Column("words", sa.Text, primary_key=True))
outbox = sa.Table("outbox", metadata, sa.Column("id", sa.Integer, primary_key=True))
