"""Texts of webhooks and mails: that an export has ended, how, and where to find it.

Neither contains a parameter of the export or a link to its file, because mails are forwarded and
webhooks are logged. The page they link to requires a login.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC

from waybill.infra.notifications.queue import DueNotification
from waybill.infra.tasks.states import TaskStatus

_SUBJECTS: Mapping[str, str] = {
    TaskStatus.SUCCESS: "Export ready",
    TaskStatus.FAILED: "Export failed",
    TaskStatus.CANCELLED: "Export cancelled",
}
_SENTENCES: Mapping[str, str] = {
    TaskStatus.SUCCESS: "Your export is ready.",
    TaskStatus.FAILED: "Your export could not be made.",
    TaskStatus.CANCELLED: "Your export was cancelled.",
}
#: Mail programs cut longer subjects; a file name may have 255 characters.
_NAME_CHARS = 120


def webhook_body(item: DueNotification, public_url: str | None) -> bytes:
    """The body of a webhook: the same bytes at every attempt."""
    body = {
        "type": item.event,
        "timestamp": item.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "task_id": str(item.task_id),
            "status": item.detail["status"],
            "code": item.detail["code"],
            "url": f"{public_url}/api/export-tasks/{item.task_id}" if public_url else None,
        },
    }
    return json.dumps(body, separators=(",", ":")).encode()


def mail_subject(item: DueNotification) -> str:
    """The subject of a mail: one line, whatever the file is called."""
    return f"{_SUBJECTS[item.detail['status']]}: {_one_line(item.detail['filename'])}"


def mail_text(item: DueNotification, public_url: str | None) -> str:
    """The text of a mail."""
    detail = item.detail
    lines = [
        _SENTENCES[detail["status"]],
        "",
        f"File:   {_one_line(detail['filename'])}",
        f"Export: {_one_line(detail['type'])}",
        f"State:  {detail['status']}",
    ]
    if detail["status"] == TaskStatus.FAILED:
        lines.append(f"Cause:  {_one_line(detail['message'] or '')} ({detail['code']})")
    lines.append(f"Task:   {item.task_id}")
    if public_url:
        lines += ["", f"{public_url}/?task={item.task_id}"]
    return "\n".join([*lines, ""])


def _one_line(text: str) -> str:
    """`text` on one line, without control characters and marks that turn the text direction."""
    plain = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
        for char in text
    )
    words = " ".join(plain.split())
    return words if len(words) <= _NAME_CHARS else words[: _NAME_CHARS - 1] + "…"
