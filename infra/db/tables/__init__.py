"""All tables of Waybill, in one metadata: whatever imports this package has loaded every one.

`waybill.infra.db.migrations` creates them; a test compares the two, so neither can drift.
"""

from __future__ import annotations

from waybill.infra.db.tables.base import VERSION_TABLE, UtcDateTime, metadata, partial_index
from waybill.infra.db.tables.messages import dead_letter, mail_opt_out, notification, outbox
from waybill.infra.db.tables.pauses import pause
from waybill.infra.db.tables.records import (
    audit_archive,
    audit_checkpoint,
    audit_log,
    revocation,
    row_usage,
    shared_secret,
    throttled_queue,
    token_bucket,
)
from waybill.infra.db.tables.schedules import (
    saved_export,
    schedule,
    schedule_owner,
    schedule_run,
)
from waybill.infra.db.tables.shards import export_shard, shard_plan, snapshot_holder
from waybill.infra.db.tables.tasks import (
    ENDED_WITHOUT_FILE,
    LIVE,
    TaskStatus,
    export_task,
    file_key,
    in_status,
    share_link,
    storage_object,
)
from waybill.infra.db.tables.workers import worker

__all__ = [
    "ENDED_WITHOUT_FILE",
    "LIVE",
    "VERSION_TABLE",
    "TaskStatus",
    "UtcDateTime",
    "audit_archive",
    "audit_checkpoint",
    "audit_log",
    "dead_letter",
    "export_shard",
    "export_task",
    "file_key",
    "in_status",
    "mail_opt_out",
    "metadata",
    "notification",
    "outbox",
    "partial_index",
    "pause",
    "revocation",
    "row_usage",
    "saved_export",
    "schedule",
    "schedule_owner",
    "schedule_run",
    "shard_plan",
    "share_link",
    "shared_secret",
    "snapshot_holder",
    "storage_object",
    "throttled_queue",
    "token_bucket",
    "worker",
]
