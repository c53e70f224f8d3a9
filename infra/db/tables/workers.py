"""The table of workers: one row for each worker process, renewed while it lives."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.tables.base import JSON, UtcDateTime, metadata

worker = sa.Table(
    "worker",
    metadata,
    # As in leases and in the audit log.
    sa.Column("name", sa.Text(), primary_key=True),
    # A list of names.
    sa.Column("queues", JSON, nullable=False),
    # Exports it runs at most: of each queue, and of all queues together.
    sa.Column("concurrency", sa.Integer(), nullable=False),
    sa.Column("exports_at_once", sa.Integer(), nullable=False),
    sa.Column("running", sa.Integer(), nullable=False),
    # What its claims wait for, such as "storage"; null while it claims.
    sa.Column("waiting_for", sa.Text()),
    sa.Column("version", sa.Text(), nullable=False),
    sa.Column("started_at", UtcDateTime(), nullable=False),
    sa.Column("seen_at", UtcDateTime(), nullable=False),
    sa.Index("ix_worker_seen", "seen_at"),
)
