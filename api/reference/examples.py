"""OpenAPI examples of bodies, by the name of their schema.

They are not attached to the models, because lists reuse the examples of their items, some models
belong to the task store, and the framework removes every null from a model's own example. A test
checks each example against its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from waybill.api.reference.dataset_examples import DATASET_EXAMPLES
from waybill.infra.broker.port import WakeUp

_TASK_ID = "0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10"
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_AUDITED_AT = "2026-03-01T09:00:02Z"
_OTHER_ID = "5f0c2a9e-7d1b-4b7e-9a55-0c8f0e4b2d31"

_TASK = {
    "id": _TASK_ID,
    "type": "orders",
    "format": "xlsx",
    "params": {"city": "Lisbon"},
    "columns": [{"name": "id", "label": None}, {"name": "amount", "label": "Total"}],
    "sort": [{"column": "amount", "descending": True}],
    "timezone": "Europe/Berlin",
    "lang": None,
    "status": "SUCCESS",
    "progress": {
        "rows_done": 1200,
        "rows_total": 1200,
        "bytes_uploaded": 65536,
        "eta_seconds": None,
    },
    "attempt": 1,
    "max_attempts": 3,
    "retry_count": 0,
    "last_error": None,
    "waiting": None,
    "paused_since": None,
    "pauses": 0,
    "shards": None,
    "files": None,
    "filename": "orders-2026-03-01-Lisbon.xlsx",
    "filename_pattern": None,
    "csv": None,
    "sharding": None,
    "size_bytes": 65536,
    "sha256": _DIGEST,
    "rows": 1200,
    "completeness": {
        "rows_source": 1200,
        "rows_written": 1200,
        "digest": _DIGEST,
        "snapshot_at": "2026-03-01T09:00:01Z",
    },
    "predicted": {"rows": 1190, "bytes": 65100, "seconds": 0.4},
    "warnings": [],
    "reason": None,
    "approval": None,
    "protected": False,
    "download_url": "https://files.example.com/exports/…",
    "url_expires_at": "2026-03-01T09:15:02Z",
    "expires_at": "2026-03-08T09:00:02Z",
    "created_by": "ana",
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T09:00:02Z",
    "started_at": "2026-03-01T09:00:01Z",
    "finished_at": "2026-03-01T09:00:02Z",
}
#: Only `GET /{task_id}` shows the link.
_TASK_WITHOUT_LINK = {**_TASK, "download_url": None, "url_expires_at": None}
_ADMIN_TASK = {
    **_TASK_WITHOUT_LINK,
    "tenant": "acme",
    "queue": "orders",
    "next_attempt_at": None,
}
_DEAD_LETTER = {
    "id": 17,
    "at": _AUDITED_AT,
    "queue": "orders",
    "reason": "source_unavailable: The source database cannot be reached.",
    "body": WakeUp(UUID(_OTHER_ID), fence=6).encode().decode(),
    "task_id": _OTHER_ID,
    "tenant": "acme",
    "task_status": "FAILED",
    "attempt": 3,
    "replayed_at": None,
    "replayed_by": None,
    "replay_task_id": None,
    "dismissed_at": None,
    "dismissed_by": None,
    "dismiss_note": None,
}
_WORKER = {
    "name": "export-worker-1-7-9f2c1a",
    "queues": ["orders"],
    "concurrency": 2,
    "exports_at_once": 2,
    "running": 1,
    "waiting_for": None,
    "version": "1.0.0",
    "started_at": "2026-03-01T06:00:00Z",
    "seen_at": "2026-03-01T09:00:00Z",
    "alive": True,
}
_QUEUE_WORKERS = {
    "queue": "orders",
    "workers": 1,
    "slots": 2,
    "waiting": 12,
    "oldest_waiting_since": "2026-03-01T08:58:40Z",
}
_AUDIT_ENTRY = {
    "id": 4711,
    "at": _AUDITED_AT,
    "tenant_id": "acme",
    "actor": "ana",
    "actor_kind": "user",
    "actor_tenant": "acme",
    "action": "cancel",
    "task_id": _OTHER_ID,
    "from_status": "PENDING",
    "to_status": "CANCELLED",
    "fence": 1,
    "detail": {},
    "request_id": "5f2c9c1e0d4b7a68",
    "address": "203.0.113.7",
}
_LINK = {
    "id": _OTHER_ID,
    "created_by": "ana",
    "created_at": "2026-03-01T09:10:00Z",
    "expires_at": "2026-03-08T09:00:02Z",
    "max_uses": 3,
    "uses": 1,
    "last_used_at": "2026-03-01T09:12:00Z",
    "revoked_at": None,
    "recipient": None,
}
_NOTICE = {
    "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "task_id": _TASK_ID,
    "event": "export.succeeded",
    "status": "SUCCESS",
    "code": None,
    "message": None,
    "type": "orders",
    "filename": "orders-2026-03-01.xlsx",
    "created_at": _AUDITED_AT,
    "read_at": None,
}
_DELIVERY = {
    "id": "8d0f7780-8536-41ef-a55c-f18fd2fa1bf8",
    "task_id": _TASK_ID,
    "channel": "webhook",
    "event": "export.succeeded",
    "target": "https://hooks.example.com/…",
    "created_at": _AUDITED_AT,
    "attempts": 2,
    "next_attempt_at": None,
    "last_status": 204,
    "last_error": None,
    "delivered_at": "2026-03-01T09:00:07Z",
    "given_up_at": None,
}
_QUEUE = {
    "queue": "orders",
    "task_type": "orders",
    "waiting": 12,
    "delayed": 1,
    "running": 2,
    "oldest_waiting_since": "2026-03-01T08:58:40Z",
}
_TENANT_FILES = {"tenant": "acme", "files": 118, "size_bytes": 734003200}
_TABLE = {
    "table": "export_task",
    "size_bytes": 18874368,
    "oldest": "2026-01-02T03:04:05Z",
    "next_cut": "2026-04-02T03:04:05Z",
}
_PAUSE = {
    "kind": "queue",
    "name": "orders",
    "at": "2026-03-01T08:00:00Z",
    "by": "olga",
    "note": "The shop is being migrated.",
}
_LEASE = {
    "worker": "worker-1",
    "lease_expires_at": "2026-03-01T09:01:00Z",
    "overdue": False,
    "task_id": _OTHER_ID,
    "tenant": "acme",
    "created_by": "ana",
    "task_type": "orders",
    "queue": "orders",
    "filename": "orders-2026-03-01.xlsx",
    "attempt": 1,
    "rows_done": 120_000,
    "rows_total": 900_000,
}
_HOUR = {
    "hour": "2026-03-01T09:00:00Z",
    "succeeded": 31,
    "failed": 1,
    "average_seconds": 6.4,
    "longest_seconds": 48.2,
}
_BETTER_FORMAT = {
    "format": "csv.zip",
    "code": "several_sheets",
    "reason": "A sheet holds 1,048,575 rows, so about 2,400,000 rows need 3 sheets.",
}

_SAVED_EXPORT = {
    "id": _OTHER_ID,
    "name": "Monday report",
    "shared": True,
    "mine": True,
    "editable": True,
    "created_by": "ana",
    "request": {
        "type": "orders",
        "format": "xlsx",
        "params": {
            "created_from": {"relative": "last_week", "edge": "first"},
            "created_to": {"relative": "last_week", "edge": "last"},
        },
    },
    "timezone": "Europe/Berlin",
    "params_now": {"created_from": "2026-02-16", "created_to": "2026-02-22"},
    "problem": None,
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T09:00:00Z",
}
_NEXT_RUNS = [
    {"at": "2026-03-02T07:00:00Z", "local": "2026-03-02T08:00:00+01:00", "note": None},
    {"at": "2026-03-09T07:00:00Z", "local": "2026-03-09T08:00:00+01:00", "note": None},
]
_SCHEDULE = {
    "id": "3e0e9b1c-52d6-4c9c-9f0e-0c6a1f0b7a55",
    "saved_export_id": _OTHER_ID,
    "saved_export_name": "Monday report",
    "mine": True,
    "created_by": "ana",
    "cron": "0 8 * * 1",
    "words": "Every Monday at 08:00",
    "timezone": "Europe/Berlin",
    "state": "active",
    "paused_at": None,
    "paused_reason": None,
    "next_runs": _NEXT_RUNS,
    "recipients": {"email": "ana@example.com", "webhook": None},
    "last_run": {
        "slot": "2026-02-23T07:00:00Z",
        "at": "2026-02-23T07:00:03Z",
        "outcome": "submitted",
        "missed": 0,
        "task_id": _TASK_ID,
        "task_status": "SUCCESS",
        "error": None,
    },
    "failures": 0,
    "created_at": "2026-02-20T09:00:00Z",
    "updated_at": "2026-02-20T09:00:00Z",
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "PlaceList": {
        "items": [{"task_id": _TASK_ID, "position": 3, "starts_in_seconds": 20, "paused": False}],
    },
    "TaskBody": _TASK,
    "SubmittedTask": {**_TASK_WITHOUT_LINK, "deduplicated": False, "password": None},
    "TaskPage": {
        "items": [_TASK_WITHOUT_LINK],
        "total": 1,
        "page": 1,
        "page_size": 20,
        "next": None,
    },
    "BetterFormatBody": _BETTER_FORMAT,
    "Estimate": {
        "type": "orders",
        "format": "xlsx",
        "rows": 2_400_000,
        "rows_known_by": "planner",
        "rows_problem": None,
        "rows_limit": 100_000_000,
        "files": 1,
        "sheets": 3,
        "bytes": 211_000_000,
        "seconds": 14.2,
        "calibrated": True,
        "queue_position": 2,
        "queue_running": 1,
        "queue_workers": 2,
        "starts_in_seconds": 20,
        "better_format": _BETTER_FORMAT,
    },
    "DownloadLink": {
        "url": "https://files.example.com/exports/…",
        "expires_at": "2026-03-01T09:15:02Z",
    },
    "LinkList": {"items": [_LINK]},
    "NewLinkBody": {
        **_LINK,
        "uses": 0,
        "last_used_at": None,
        "url": "https://exports.example.com/d/…",
        "token": "…",
    },
    "NoticeList": {"items": [_NOTICE], "unread": 1, "next": None},
    "ReadUpTo": {"up_to": _NOTICE["id"]},
    "Unread": {"unread": 0},
    "DeliveryList": {"items": [_DELIVERY]},
    "AdminDeliveryList": {"items": [{**_DELIVERY, "tenant": "acme", "user": "ana"}]},
    "WebhookSecrets": {"secrets": ["whsec_…"]},
    "SavedExportRequest": {
        "name": "Monday report",
        "request": _SAVED_EXPORT["request"],
        "timezone": "Europe/Berlin",
        "shared": True,
    },
    "SavedExportChange": {"name": "Monday report of sales"},
    "SavedExportBody": _SAVED_EXPORT,
    "SavedExportList": {"items": [_SAVED_EXPORT], "next": None},
    "ScheduleRequest": {
        "saved_export_id": _OTHER_ID,
        "cron": "0 8 * * 1",
        "timezone": "Europe/Berlin",
        "notify": {"email": "ana@example.com"},
    },
    "ScheduleChange": {"cron": "0 9 * * 1"},
    "RulePreviewRequest": {"cron": "0 8 * * 1", "timezone": "Europe/Berlin"},
    "ScheduleBody": _SCHEDULE,
    "ScheduleList": {"items": [_SCHEDULE], "next": None},
    "RulePreview": {
        "cron": "0 8 * * 1",
        "words": "Every Monday at 08:00",
        "timezone": "Europe/Berlin",
        "next_runs": _NEXT_RUNS,
    },
    **DATASET_EXAMPLES,
    "Liveness": {"status": "ok", "version": "1.4.0", "failures": {}},
    "Health": {"status": "unavailable", "failures": {"storage": "The bucket does not answer."}},
    "AdminTaskBody": _ADMIN_TASK,
    "AdminTaskList": {"items": [_ADMIN_TASK]},
    "DeadLetter": _DEAD_LETTER,
    "DeadLetterList": {"items": [_DEAD_LETTER]},
    "Replay": {"letter_id": 17, "task_id": _OTHER_ID, "outcome": "replayed"},
    "WorkerList": {"items": [_WORKER], "queues": [_QUEUE_WORKERS]},
    "Holdings": {
        "tenants": [_TENANT_FILES],
        "next_expiry": "2026-03-01T21:10:00Z",
        "expiring_in_a_day": 12,
        "open_uploads": 2,
        "tables": [_TABLE],
    },
    "PauseList": {"items": [_PAUSE]},
    "QueueList": {"items": [_QUEUE]},
    "LeaseList": {"items": [_LEASE]},
    "HourList": {"items": [_HOUR]},
    "AuditEntry": _AUDIT_ENTRY,
    "AuditList": {"items": [_AUDIT_ENTRY], "next": None},
}


def add_examples(document: dict[str, Any]) -> None:
    """Add each example to its schema. Repeating the call changes nothing."""
    schemas: dict[str, dict[str, Any]] = document["components"]["schemas"]
    for name, example in EXAMPLES.items():
        schemas[name]["example"] = example
