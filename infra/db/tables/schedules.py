"""Tables of what people repeat: saved exports, their schedules, and the runs of those."""

from __future__ import annotations

import sqlalchemy as sa

from waybill.infra.db.tables.base import JSON, UtcDateTime, metadata, partial_index

# An export request under a name. Its dates may be relative: they are worked out when it runs.
saved_export = sa.Table(
    "saved_export",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    # The name without its case, which is unique for each owner.
    sa.Column("name_key", sa.Text(), nullable=False),
    # Whether everybody in the tenant who may export the dataset sees it.
    sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("task_type", sa.Text(), nullable=False),
    sa.Column("request", JSON, nullable=False),
    # The zone in which its relative dates are worked out.
    sa.Column("timezone", sa.Text(), nullable=False),
    sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("updated_at", UtcDateTime(), nullable=False),
    sa.UniqueConstraint("tenant_id", "created_by", "name_key"),
    sa.Index("ix_saved_export_list", "tenant_id", "name_key", "id"),
)

schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    # NULL after its owner has deleted the saved export: then the schedule is paused.
    sa.Column("saved_export_id", sa.Uuid(), sa.ForeignKey("saved_export.id")),
    sa.Column("tenant_id", sa.Text(), nullable=False),
    # Whose rights it runs with; `schedule_owner` has the latest ones on record.
    sa.Column("created_by", sa.Text(), nullable=False),
    sa.Column("cron", sa.Text(), nullable=False),
    sa.Column("timezone", sa.Text(), nullable=False),
    # As `export_task.notify`.
    sa.Column("notify", JSON),
    # The next time by the cron expression. It only moves forward.
    sa.Column("next_slot", UtcDateTime(), nullable=False),
    # When a scheduler should look at it: the slot, or the end of another one's claim, or when a
    # quota has room again.
    sa.Column("due_at", UtcDateTime(), nullable=False),
    sa.Column("paused_at", UtcDateTime()),
    # An error code; NULL when a person has paused it.
    sa.Column("paused_code", sa.Text()),
    sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
    # The task of its last run, without a foreign key: tasks are deleted.
    sa.Column("last_task_id", sa.Uuid()),
    sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.Column("updated_at", UtcDateTime(), nullable=False),
    partial_index("ix_schedule_due", "due_at", where="paused_at IS NULL"),
    sa.Index("ix_schedule_owner", "tenant_id", "created_by", "created_at", "id"),
    sa.Index("ix_schedule_list", "tenant_id", "created_at", "id"),
    sa.Index("ix_schedule_saved_export", "saved_export_id"),
)

# One row for each slot that was run, skipped or refused. UNIQUE (schedule, slot), in the
# transaction that submits the task: however many schedulers there are, a slot runs once.
schedule_run = sa.Table(
    "schedule_run",
    metadata,
    # Also the id of the run's share link.
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("schedule_id", sa.Uuid(), sa.ForeignKey("schedule.id"), nullable=False),
    # For a run that a person asked for: that moment.
    sa.Column("slot", UtcDateTime(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Column("outcome", sa.Text(), nullable=False),
    # Why it was skipped or refused.
    sa.Column("code", sa.Text()),
    sa.Column("message", sa.Text()),
    sa.Column("task_id", sa.Uuid()),
    # Earlier slots that this run stands for as well, counted up to a bound.
    sa.Column("missed", sa.Integer(), nullable=False, server_default="0"),
    sa.CheckConstraint("outcome IN ('submitted', 'skipped', 'refused')", name="outcome"),
    sa.UniqueConstraint("schedule_id", "slot"),
    sa.Index("ix_schedule_run_at", "at"),
)

# What the newest token of each owner of schedules said. Waybill has no list of users.
schedule_owner = sa.Table(
    "schedule_owner",
    metadata,
    sa.Column("tenant_id", sa.Text(), primary_key=True),
    sa.Column("user_id", sa.Text(), primary_key=True),
    sa.Column("roles", JSON, nullable=False),
    # As `Principal.attributes`.
    sa.Column("attributes", JSON),
    sa.Column("seen_at", UtcDateTime(), nullable=False),
)
