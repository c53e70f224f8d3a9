"""The tables of the sample shop."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData()

#: MySQL keeps no fractions of a second unless asked, and its zoned type ends in 2038, before the
#: last of 50 million orders: there the times are UTC without a zone.
_INSTANT = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: Cities and notes are Chinese as well, so the character set does not depend on the database.
_OPTIONS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    # 18 digits: Excel keeps 15, so this column shows whether identifiers stay exact.
    sa.Column("order_no", sa.BigInteger(), nullable=False),
    sa.Column("customer", sa.Text(), nullable=False),
    sa.Column("city", sa.Text(), nullable=False),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Column("quantity", sa.Integer(), nullable=False),
    sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("paid", sa.Boolean(), nullable=False),
    sa.Column("note", sa.Text()),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("shipped_on", sa.Date()),
    **_OPTIONS,
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("email", sa.Text(), nullable=False),
    sa.Column("city", sa.Text(), nullable=False),
    sa.Column("active", sa.Boolean(), nullable=False),
    sa.Column("balance", sa.Numeric(14, 4)),
    sa.Column("joined_at", _INSTANT, nullable=False),
    **_OPTIONS,
)
