"""What each property and parameter of the API means, where its model does not say so itself.

Most names mean the same wherever they stand. Those that do not are listed with their schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TAGS: Mapping[str, str] = {
    "export tasks": "Submit an export, follow it, and download its file. A task belongs to the "
    "user who submitted it, and nobody else sees it.",
    "share links": "Stable links to a file, with an end and a number of uses. Rights are checked "
    "each time one is followed.",
    "notices": "What a user was notified of, and the deliveries of webhooks and mails.",
    "saved exports": "Export requests under a name, with dates that are relative to the day of the "
    "run: the caller's own, and those that colleagues share.",
    "schedules": "When saved exports run by themselves, and whom they tell.",
    "datasets": "What the caller may export, and with which parameters.",
    "admin": "Tasks, queues, dead letters, deliveries and the audit log: of the own tenant for the "
    "admin role, of all tenants for the operator role.",
    "operations": "Health checks and figures, for programs that watch this one.",
}

_NAMES: Mapping[str, str] = {
    "action": "What was done, such as `submit` or `cancel`.",
    "actor": "Who did it: a user, a worker, or a part of the system.",
    "actor_kind": "The kind of actor: user, worker or system.",
    "actor_tenant": "The tenant of the actor.",
    "address": "The address that the request came from.",
    "attempt": "Number of the current or last attempt, beginning with 1; 0 before the first.",
    "attempts": "How often a delivery was tried.",
    "average_seconds": "Mean time from start to end of the exports that succeeded.",
    "better_format": "A format that suits this export better; null if there is none.",
    "before": "Only entries before this one: the `next` of the previous part.",
    "body": "The message as it was found in the queue.",
    "bytes": "Size of the file in bytes.",
    "bytes_uploaded": "Bytes that the object store has confirmed.",
    "channel": "`webhook` or `mail`.",
    "code": "Stable code; see the list of errors.",
    "completeness": "The proof that nothing is missing; null until the export has succeeded.",
    "cron": "The times as a cron expression of five fields.",
    "created_at": "When it was created.",
    "created_by": "The user who created it.",
    "delayed": "Tasks that wait for the time of their next attempt.",
    "delivered_at": "When the receiver accepted it; null until then.",
    "detail": "What happened, in one sentence for people.",
    "digest": "SHA-256 of the file, as hexadecimal digits.",
    "errors": "The invalid fields, if any are to blame.",
    "eta_seconds": "Seconds until the file is ready; null while unknown.",
    "event": "What happened, such as `export.succeeded`.",
    "expires_at": "When it ends to be valid; null if it does not.",
    "failed": "How many failed.",
    "failures": "What is not ready, by component, and why.",
    "fence": "Number of the claim; a worker with an older one can change nothing.",
    "filename": "Name of the file, as a browser stores it.",
    "finished_at": "When the task ended; null while it is live.",
    "format": "Name of a file format, such as `xlsx` or `csv.gz`.",
    "formats": "File formats that the dataset is exported in.",
    "from_status": "Status before the change; null if there was none.",
    "given_up_at": "When the delivery was given up; null if it was not.",
    "hour": "Beginning of the hour.",
    "id": "Id of this entry.",
    "if-none-match": "`ETag` of the copy that the client has. If it is current, the answer is 304.",
    "items": "The entries, newest first where they have a time.",
    "last_error": "Why the last attempt ended; null if it did not fail.",
    "last_run": "The newest run; null before the first.",
    "last_status": "HTTP status of the receiver's last answer; null without one.",
    "last_used_at": "When the link was followed last; null if never.",
    "letter_id": "Id of a dead letter.",
    "limit": "At most this many entries.",
    "link_id": "Id of a share link.",
    "longest_seconds": "Longest time from start to end of an export.",
    "max_attempts": "After this number of failed attempts the task is FAILED.",
    "max_uses": "How often the link may be followed; null without a limit.",
    "message": "What happened, in one sentence.",
    "name": "Name of the dataset: the `type` of a request.",
    "next_runs": "The next times.",
    "next_attempt_at": "Not before this time is it tried again; null if nothing is planned.",
    "oldest_waiting_since": "When the task that waits longest was submitted; null if none waits.",
    "outcome": "What became of it.",
    "overdue": "Whether the lease has ended without a heartbeat.",
    "paused_at": "Since when it is paused; null if it is not.",
    "page": "Number of the page, beginning with 1.",
    "page_size": "Entries of a page.",
    "parameter": "Name of the query parameter or header that is invalid.",
    "params": "Parameters of the dataset, with every default filled in.",
    "pointer": "JSON pointer to the invalid field of the body.",
    "progress": "How far the export is.",
    "queue": "Name of the work queue.",
    "recipients": "Who is notified when a run ends, beside the owner.",
    "read_at": "When its owner read it; null if not yet.",
    "reason": "Why, in one sentence.",
    "replay_task_id": "The task that the last replay made; null without one.",
    "replayed_at": "When it was replayed last; null if never.",
    "replayed_by": "Who replayed it last; null if nobody.",
    "request_id": "Id of the request; the log has more under it.",
    "retry_count": "How many attempts have failed.",
    "revoked_at": "When the link was revoked; null if it was not.",
    "rows": "Rows of the file.",
    "rows_done": "Rows read so far in this attempt.",
    "rows_source": "Rows that the database counted in the snapshot; null if a count is too dear.",
    "rows_total": "Rows that there will be; null while unknown.",
    "rows_written": "Rows counted in the bytes of the file.",
    "running": "Exports that run now.",
    "saved_export_id": "Id of a saved export.",
    "saved_export_name": "Its name; null if it was deleted.",
    "schedule_id": "Id of a schedule.",
    "seconds": "Duration in seconds.",
    "secrets": "Secrets that verify the tenant's webhooks, the newest first.",
    "sha256": "SHA-256 of the file, as hexadecimal digits; null until it is ready.",
    "since": "Since when.",
    "size_bytes": "Size of the file in bytes; null until it is ready.",
    "snapshot_at": "The moment at which the database was read.",
    "started_at": "When the first attempt started; null before.",
    "state": "Whether it runs by itself.",
    "status": "The state it is in.",
    "succeeded": "How many succeeded.",
    "target": "Where it is delivered, without what is secret in it.",
    "task_id": "Id of an export task.",
    "task_status": "The state of the task; null if it was deleted.",
    "task_type": "Name of the dataset.",
    "tenant": "Name of the tenant.",
    "tenant_id": "Name of the tenant.",
    "title": "Title for people.",
    "to_status": "Status after the change; null if there is none.",
    "token": "The secret part of the share link.",
    "type": "Name of the dataset.",
    "unread": "How many the caller has not read.",
    "until": "Until when.",
    "up_to": "Id of the newest notice that was read; older ones count as read, too.",
    "updated_at": "When it changed last.",
    "url": "The signed link. Anyone who has it can download the file.",
    "user": "Name of the user.",
    "uses": "How often the link was followed.",
    "waiting": "Tasks that wait for a worker.",
    "warnings": "Values that had to be changed to fit the format, counted by column and rule.",
    "worker": "Name of the worker process.",
}
_OTHERS: Mapping[str, str] = {
    "LastRunBody.error": "Why it was skipped or refused, or why its task failed; null otherwise.",
    "SlotBody.at": "The moment.",
    "AuditEntry.at": "When it happened.",
    "AuditEntry.detail": "More about it, by the kind of action.",
    "DeadLetter.at": "When the message was found dead.",
    "DeadLetter.dismissed_at": "When somebody recorded that nothing has to be done.",
    "DeadLetter.dismissed_by": "Who recorded it.",
    "DeadLetter.dismiss_note": "Why nothing has to be done.",
    "Dismissal.note": "Why nothing has to be done, for those who look later.",
    "WorkerList.queues": "Each queue of a dataset, also where no worker takes it.",
    "WorkerRecord.name": "Its name in leases and in the audit log.",
    "WorkerRecord.queues": "The queues it takes exports from.",
    "WorkerRecord.concurrency": "Exports it runs at most of one queue.",
    "WorkerRecord.exports_at_once": "Exports it runs at most of all queues together.",
    "WorkerRecord.running": "Exports it ran at its last heartbeat.",
    "WorkerRecord.waiting_for": "What its claims wait for, `storage` or `source`; null otherwise.",
    "WorkerRecord.version": "The version of Waybill it runs.",
    "WorkerRecord.started_at": "Its first heartbeat.",
    "WorkerRecord.seen_at": "Its last heartbeat; it writes one every ten seconds.",
    "WorkerRecord.alive": "Whether it was seen within 30 seconds.",
    "QueueWorkers.queue": "Name of the queue.",
    "QueueWorkers.workers": "Living workers that take its exports.",
    "QueueWorkers.slots": "Exports of the queue that they run at most.",
    "QueueWorkers.waiting": "Exports that could start now.",
    "QueueWorkers.oldest_waiting_since": "When the one that has waited longest was requested.",
    "FieldError.detail": "What is wrong with the field.",
    "Health.status": "`ok` or `unavailable`.",
    "Lease.lease_expires_at": "When the lease ends unless a heartbeat renews it.",
    "Problem.status": "The HTTP status.",
    "Problem.title": "The phrase of the HTTP status.",
    "Problem.type": "URI that identifies the code: `urn:waybill:problem:` and the code.",
    "NewLinkBody.url": "The address to share.",
}


def add_descriptions(document: dict[str, Any]) -> None:
    """Describe what is not described yet. Repeating the call changes nothing."""
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    for schema_name, schema in document["components"]["schemas"].items():
        for name, item in schema.get("properties", {}).items():
            _describe(item, _OTHERS.get(f"{schema_name}.{name}") or _NAMES.get(name))
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                text = _NAMES.get(parameter["name"])
                _describe(parameter, parameter["schema"].get("description") or text)


def _describe(item: dict[str, Any], text: str | None) -> None:
    if text and not item.get("description"):
        item["description"] = text
