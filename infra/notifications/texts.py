"""Texts of webhooks and mails: that an export has ended, how, and where to find it.

Neither contains a parameter of the export or a signed link to its file, because mails are
forwarded and webhooks are logged. What they link to, the page or a share link, requires a login. A
mail to anybody but the owner holds no text that the owner has chosen, such as a file name: it comes
from the company's own sender.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC
from uuid import UUID

from waybill.infra.notifications.queue import DueNotification
from waybill.infra.tasks.notifications import SCHEDULE_PAUSED
from waybill.infra.tasks.states import TaskStatus

SharePath = Callable[[UUID], str]

_SUBJECTS: Mapping[str, str] = {
    TaskStatus.SUCCESS: "Export ready",
    TaskStatus.FAILED: "Export failed",
    TaskStatus.CANCELLED: "Export cancelled",
}
_OWN_SENTENCES: Mapping[str, str] = {
    TaskStatus.SUCCESS: "Your export is ready.",
    TaskStatus.FAILED: "Your export could not be made.",
    TaskStatus.CANCELLED: "Your export was cancelled.",
}
_SENTENCES: Mapping[str, str] = {
    TaskStatus.SUCCESS: "An export is ready.",
    TaskStatus.FAILED: "An export could not be made.",
    TaskStatus.CANCELLED: "An export was cancelled.",
}
#: The most exports that a mail names.
_MOST_LISTED = 20
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
    if item.merged:
        return f"{1 + len(item.merged)} exports have ended"
    return _title(item)


def mail_text(
    item: DueNotification,
    public_url: str | None,
    opt_out_url: str | None = None,
    share_path: SharePath = lambda _: "",
) -> str:
    """The text of a mail. `opt_out_url` is for mails to others, with a sentence about it.

    `share_path` makes the path of a share link of its id.
    """
    if item.merged:
        lines = _merged_lines(item, public_url, share_path)
    elif item.event == SCHEDULE_PAUSED:
        lines = _lines_of_schedule(item, public_url)
    else:
        lines = _lines(item, public_url)
        if link := _link(item, public_url, share_path):
            lines += ["", "Download (log in first):", link]
    if opt_out_url:
        lines += ["", "You get this mail because somebody else asked for it. To get no more:"]
        lines.append(opt_out_url)
    return "\n".join([*lines, ""])


def _lines(item: DueNotification, public_url: str | None) -> list[str]:
    detail, own = item.detail, item.to_owner
    lines = [(_OWN_SENTENCES if own else _SENTENCES)[detail["status"]], ""]
    if own:
        lines.append(f"File:   {_one_line(detail['filename'])}")
    lines += [f"Export: {_one_line(detail['type'])}", f"State:  {detail['status']}"]
    if detail["status"] == TaskStatus.FAILED:
        # The message may repeat a parameter, which its owner chose.
        message = f"{_one_line(detail['message'] or '')} ({detail['code']})"
        lines.append(f"Cause:  {message if own else detail['code']}")
    if not own:
        lines.append(f"Owner:  {_one_line(item.user_id)}")
    lines.append(f"Task:   {item.task_id}")
    if public_url:
        lines += ["", f"{public_url}/?task={item.task_id}"]
    return lines


def _lines_of_schedule(item: DueNotification, public_url: str | None) -> list[str]:
    detail = item.detail
    lines = [
        "Your schedule has been paused. It does not run until you resume it.",
        "",
        f"Schedule: {_one_line(detail['filename'])}",
        f"Cause:    {_one_line(detail['message'] or '')} ({detail['code']})",
    ]
    if public_url:
        lines += ["", f"{public_url}/?schedule={detail['schedule_id']}"]
    return lines


def _link(item: DueNotification, public_url: str | None, share_path: SharePath) -> str:
    link = item.detail.get("link")
    return f"{public_url}{share_path(UUID(link))}" if link and public_url else ""


def _merged_lines(
    item: DueNotification, public_url: str | None, share_path: SharePath
) -> list[str]:
    items = [item, *item.merged]
    lines = [
        f"{len(items)} exports have ended. They are in one mail because there were many in a short"
        " time.",
        "",
        *(
            f"- {_title(each)} {_link(each, public_url, share_path)}".rstrip()
            for each in items[:_MOST_LISTED]
        ),
    ]
    if len(items) > _MOST_LISTED:
        lines.append(f"- and {len(items) - _MOST_LISTED} more")
    return [*lines, "", f"{public_url}/"] if public_url else lines


def _title(item: DueNotification) -> str:
    if item.event == SCHEDULE_PAUSED:
        return f"Schedule paused: {_one_line(item.detail['filename'])}"
    name = item.detail["filename" if item.to_owner else "type"]
    return f"{_SUBJECTS[item.detail['status']]}: {_one_line(name)}"


def _one_line(text: str) -> str:
    """`text` on one line, without control characters and marks that turn the text direction."""
    plain = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
        for char in text
    )
    words = " ".join(plain.split())
    return words if len(words) <= _NAME_CHARS else words[: _NAME_CHARS - 1] + "…"
