"""Notification rows: one for each channel, inserted in the commit that ends a task.

So no end goes without its notifications, and none is sent for an end that was rolled back.
Workers deliver the rows later (`waybill.infra.notifications`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import notification
from waybill.infra.db.token_buckets import bucket_key
from waybill.infra.tasks.model import AskedApproval, Task, TaskRow
from waybill.infra.tasks.states import TaskStatus

NOTICE, WEBHOOK, EMAIL = "notice", "webhook", "email"
#: Key of a task's `notify` for a mail to its own owner. The key `EMAIL` is for everybody else.
OWN_EMAIL = "own_email"
#: Key of a task's `notify` for the id of a share link, which mails contain. A retry drops it.
SHARE_LINK = "share_link"
#: Key of a task's `notify` for what its mails say about the export: JSON by language, with `title`
#: and `filters`.
MAIL_FACTS = "mail_facts"
#: Key of a task's `notify` for the language of its mails.
MAIL_LANGUAGE = "mail_language"
#: In place of a user, for notices to all admins of a tenant. No token names such a user.
OF_ADMINS = ""
#: The event of a schedule that was paused for a reason. It concerns no task.
SCHEDULE_PAUSED = "schedule.paused"

#: The event of a file whose link was mailed to a colleague.
FILE_SHARED = "file.shared"

#: The event of a request that waits for an approval.
APPROVAL_ASKED = "approval.asked"

#: The event of each status that ends a task. Part of the contract with webhook receivers.
EVENTS: dict[TaskStatus, str] = {
    TaskStatus.SUCCESS: "export.succeeded",
    TaskStatus.FAILED: "export.failed",
    TaskStatus.CANCELLED: "export.cancelled",
}


def insert_notifications(connection: Connection, now: datetime, task: TaskRow) -> None:
    """Insert one notification row per requested channel, and one for the owner's notices.

    Repeated calls insert nothing more; a status without an event inserts nothing. Only its owner
    cancels a task, who needs no mail about it, and must not have others mailed in that way.
    """
    event = EVENTS.get(TaskStatus(task["status"]))
    if event is None:
        return
    targets = _targets(task)
    detail: dict[str, Any] = {
        "status": task["status"],
        "type": task["task_type"],
        "filename": task["filename"],
        "code": task["error_code"],
        "message": task["error_message"],
    }
    common: dict[str, Any] = {
        "task_id": task["id"],
        "tenant_id": task["tenant_id"],
        "user_id": task["created_by"],
        "event": event,
        "created_at": now,
        "available_at": now,
    }
    rows = [
        {
            "id": uuid4(),
            "channel": channel,
            "target": target,
            "bucket": receiver_bucket(channel, target),
            # A notice is delivered once it is in the list on the page.
            "delivered_at": now if channel == NOTICE else None,
            **common,
            "detail": detail | (_of_mail(task, to_owner=to_owner) if channel == EMAIL else {}),
        }
        for channel, target, to_owner in targets
    ]
    # As parameters: with them in the statement, it would be compiled each time.
    connection.execute(insert_ignoring(connection, notification), rows)


def insert_shared_mail(
    connection: Connection, now: datetime, link_id: UUID, task: Task, mail: Mapping[str, str | None]
) -> None:
    """Insert the mail with the link `link_id` to the file of `task`.

    `mail` has its `target`, its `language`, the `title` of the dataset and, if the link has one,
    its end as `until`.
    """
    target = str(mail["target"])
    row = {
        "id": uuid4(),
        # A file is mailed any number of times, and the key of the table has one row of a task.
        "task_id": link_id,
        "tenant_id": task.tenant_id,
        "user_id": task.created_by,
        "channel": EMAIL,
        "event": FILE_SHARED,
        "target": target,
        "bucket": receiver_bucket(EMAIL, target),
        "detail": {
            "status": TaskStatus.SUCCESS,
            "type": task.task_type,
            "filename": task.filename,
            "code": None,
            "message": None,
            "to_owner": False,
            "link": str(link_id),
            **{name: mail[name] for name in ("language", "title", "until")},
        },
        "created_at": now,
        "available_at": now,
    }
    connection.execute(sa.insert(notification), [row])


def insert_approval_mail(
    connection: Connection, now: datetime, task: TaskRow, asked: AskedApproval
) -> None:
    """Insert the mail that tells of a request for approval, if the dataset names an address."""
    if asked.mail is None:
        return
    row = {
        "id": uuid4(),
        "task_id": task["id"],
        "tenant_id": task["tenant_id"],
        "user_id": task["created_by"],
        "channel": EMAIL,
        "event": APPROVAL_ASKED,
        "target": asked.mail,
        "bucket": receiver_bucket(EMAIL, asked.mail),
        "detail": {
            "status": task["status"],
            "type": task["task_type"],
            "filename": task["filename"],
            "code": None,
            "message": None,
            "to_owner": False,
            "language": asked.language,
            "title": asked.title,
            "until": task["approval_until"].isoformat(),
        },
        "created_at": now,
        "available_at": now,
    }
    connection.execute(insert_ignoring(connection, notification), [row])


def _of_mail(task: TaskRow, *, to_owner: bool) -> dict[str, Any]:
    """What a mail needs to know beside the rest."""
    notify: dict[str, str] = task["notify"] or {}
    link, has_file = notify.get(SHARE_LINK), task["status"] == TaskStatus.SUCCESS
    return {
        "to_owner": to_owner,
        **mail_facts(notify, to_owner=to_owner),
        **({"link": link} if link and has_file else {}),
    }


def mail_facts(notify: Mapping[str, str], *, to_owner: bool) -> dict[str, Any]:
    """The language of a mail, and what it says about the export in it.

    The filters are the owner's affair.
    """
    language = notify.get(MAIL_LANGUAGE)
    if language is None:
        return {}
    facts = json.loads(notify.get(MAIL_FACTS, "{}")).get(language, {})
    if not to_owner:
        facts.pop("filters", None)
    return {"language": language, **facts}


def _targets(task: TaskRow) -> list[tuple[str, str | None, bool]]:
    """Channel and target of each notification, and whether its reader is the owner."""
    notify: dict[str, str] = task["notify"] or {}
    targets: list[tuple[str, str | None, bool]] = [(NOTICE, None, True)]
    if WEBHOOK in notify:
        targets.append((WEBHOOK, notify[WEBHOOK], False))
    if task["status"] != TaskStatus.CANCELLED:
        targets += [
            (EMAIL, notify[key], key == OWN_EMAIL) for key in (EMAIL, OWN_EMAIL) if key in notify
        ]
    return targets


def receiver_bucket(channel: str, target: str | None) -> str | None:
    """The key of the token bucket that deliveries to `target` share; None for a notice.

    The port of a webhook does not count, nor do the case of a mail address and its part after a
    plus, which name one mailbox nearly everywhere (RFC 5233).
    """
    if target is None:
        return None
    if channel == WEBHOOK:
        return bucket_key("webhooks", _host(target))
    local, _, domain = target.lower().rpartition("@")
    return bucket_key("mails", f"{local.partition('+')[0] or local}@{domain}")


def _host(url: str) -> str:
    """The host of a checked URL, an address in its one canonical form."""
    host = urlsplit(url).hostname or ""
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def delete_notices(connection: Connection, task_ids: Collection[UUID]) -> None:
    """Delete the notices of deleted tasks. Their webhooks and mails are still sent."""
    n = notification.c
    connection.execute(sa.delete(notification).where(n.task_id.in_(task_ids), n.channel == NOTICE))
