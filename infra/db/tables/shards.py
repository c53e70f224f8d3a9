"""Tables of shards: the plan of an export that several workers write, and each part of it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from waybill.infra.db.tables.base import JSON, UtcDateTime, metadata, partial_index

# One for each export in shards. Its fence is that of the attempt that planned it, or has taken it
# over; it goes on if it is the task's. It stays with a finished file, and else ends with its task.
shard_plan = sa.Table(
    "shard_plan",
    metadata,
    sa.Column(
        "task_id", sa.Uuid(), sa.ForeignKey("export_task.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("fence", sa.BigInteger(), nullable=False),
    # Equal in two processes that would write the same bytes.
    sa.Column("fingerprint", sa.Text(), nullable=False),
    sa.Column("object_key", sa.Text(), nullable=False),
    sa.Column("upload_id", sa.Text(), nullable=False),
    sa.Column("part_bytes", sa.BigInteger(), nullable=False),
    # The database's name for the snapshot, when it was taken, and what the source noted of it.
    sa.Column("snapshot", sa.Text(), nullable=False),
    sa.Column("snapshot_at", UtcDateTime(), nullable=False),
    sa.Column("snapshot_state", JSON, nullable=False),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    # Of all shards but the last one; and what the first rows decided, such as widths of columns.
    sa.Column("rows_of_shard", sa.BigInteger(), nullable=False),
    sa.Column("notes", JSON, nullable=False),
)


def _of_plan() -> sa.Column[Any]:
    """The column that says which plan a row belongs to, and ends with."""
    plan = sa.ForeignKey("shard_plan.task_id", ondelete="CASCADE")
    return sa.Column("task_id", sa.Uuid(), plan, primary_key=True)


export_shard = sa.Table(
    "export_shard",
    metadata,
    _of_plan(),
    sa.Column("number", sa.Integer(), primary_key=True),
    # As of its plan.
    sa.Column("fence", sa.BigInteger(), nullable=False),
    sa.Column("queue", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("rows", sa.BigInteger(), nullable=False),
    sa.Column("lower_key", sa.Text()),
    sa.Column("upper_key", sa.Text()),
    # Its numbers among the parts of the upload.
    sa.Column("first_part", sa.Integer(), nullable=False),
    sa.Column("most_parts", sa.Integer(), nullable=False),
    # Random, one for each claim, as of a task.
    sa.Column("claim_id", sa.Uuid()),
    sa.Column("lease_owner", sa.Text()),
    # NULL for the worker that has the task: its lease is that of the task.
    sa.Column("lease_expires_at", UtcDateTime()),
    sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("rows_done", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("bytes_uploaded", sa.BigInteger(), nullable=False, server_default="0"),
    # While it is written: the parts so far, the key of their last row, and what the bytes behind
    # them depend on. The next claim goes on from there.
    sa.Column("reached", JSON),
    # Once it is written: its parts as the store confirmed them, and what else its file needs.
    sa.Column("parts", JSON),
    sa.Column("outcome", JSON),
    sa.CheckConstraint("state IN ('WAITING', 'RUNNING', 'DONE')", name="state"),
    partial_index("ix_export_shard_open", "queue", where="state <> 'DONE'"),
)

# Sessions that hold the snapshot of a plan, one a worker, by the names they gave it.
snapshot_holder = sa.Table(
    "snapshot_holder",
    metadata,
    _of_plan(),
    sa.Column("held_by", sa.Text(), primary_key=True),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("held_at", UtcDateTime(), nullable=False),
)
