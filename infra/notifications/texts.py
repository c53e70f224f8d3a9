"""Texts of webhooks and mails: that an export has ended, how, and where to find it.

Neither contains a signed link to the file, because mails are forwarded and webhooks are logged.
What they link to, the page or a share link, requires a login. A mail to the owner names the filters
of the export by their labels, in the language that the owner asked in. A mail to anybody else holds
no text that the owner has chosen, such as a file name or a filter: it comes from the company's own
sender.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from waybill.infra.notifications.mail_texts import cause_in, texts_in
from waybill.infra.notifications.queue import DueNotification
from waybill.infra.tasks.notifications import APPROVAL_ASKED, FILE_SHARED, SCHEDULE_PAUSED
from waybill.infra.tasks.states import TaskStatus

SharePath = Callable[[UUID], str]

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
        return _texts(item)["subject_merged"].format(count=1 + len(item.merged))
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
    texts = _texts(item)
    if item.merged:
        lines = _merged_lines(item, public_url, share_path)
    elif item.event == SCHEDULE_PAUSED:
        lines = _lines_of_schedule(item, public_url)
    elif item.event == APPROVAL_ASKED:
        lines = _lines_of_approval(item, public_url)
    else:
        shared = item.event == FILE_SHARED
        lines = _lines_of_share(item) if shared else _lines(item, public_url)
        if link := _link(item, public_url, share_path):
            lines += ["", texts["download"], link]
    if opt_out_url:
        lines += ["", texts["opt_out"], opt_out_url]
    return "\n".join([*lines, ""])


def _texts(item: DueNotification) -> Mapping[str, str]:
    return texts_in(item.detail.get("language"))


def _facts(texts: Mapping[str, str], facts: Mapping[str, str]) -> list[str]:
    """A line for each fact. Where a label ends with a blank, values stand below one another."""
    width = max((len(texts[name]) for name in facts if texts[name].endswith(" ")), default=0)
    return [f"{texts[name]:{width}}{value}" for name, value in facts.items()]


def _lines(item: DueNotification, public_url: str | None) -> list[str]:
    detail, own, texts = item.detail, item.to_owner, _texts(item)
    facts = {"file": _one_line(detail["filename"])} if own else {}
    facts["export"] = _one_line(detail.get("title") or detail["type"])
    if own and (filters := detail.get("filters")) is not None:
        # What was asked for is the owner's affair.
        parts = [texts["filter"].format(label=label, value=value) for label, value in filters]
        facts["holds"] = texts["and"].join(map(_one_line, parts)) or texts["holds_all"]
    if detail["status"] == TaskStatus.FAILED:
        # The message may repeat a parameter, which its owner chose.
        facts["cause"] = _cause(item, detail["message"] if own else "")
    if not own:
        facts["owner"] = _one_line(item.user_id)
    facts["task"] = str(item.task_id)
    lines = [texts[f"{'own' if own else 'other'}_{detail['status']}"], "", *_facts(texts, facts)]
    if public_url:
        lines += ["", texts["open"], f"{public_url}/?task={item.task_id}"]
    return lines


def _lines_of_share(item: DueNotification) -> list[str]:
    return _said_by_owner(item, "shared", "until")


def _lines_of_approval(item: DueNotification, public_url: str | None) -> list[str]:
    # The reason is a text of the requester: it is on the page only.
    lines = _said_by_owner(item, "asked", "answer_until")
    return [*lines, "", _texts(item)["answer"], f"{public_url}/#approvals"] if public_url else lines


def _said_by_owner(item: DueNotification, sentence: str, until_label: str) -> list[str]:
    detail, texts = item.detail, _texts(item)
    facts = {"export": _one_line(detail.get("title") or detail["type"])}
    if detail.get("until"):
        until = datetime.fromisoformat(detail["until"]).astimezone(UTC)
        facts[until_label] = f"{until:%Y-%m-%d %H:%M} UTC"
    return [texts[sentence].format(owner=_one_line(item.user_id)), "", *_facts(texts, facts)]


def _cause(item: DueNotification, message: str | None) -> str:
    return cause_in(item.detail.get("language"), item.detail["code"], _one_line(message or ""))


def _lines_of_schedule(item: DueNotification, public_url: str | None) -> list[str]:
    detail, texts = item.detail, _texts(item)
    facts = {
        "schedule": _one_line(detail["filename"]),
        "cause": _cause(item, detail["message"]),
    }
    lines = [texts["paused"], "", *_facts(texts, facts)]
    if public_url:
        lines += ["", texts["open"], f"{public_url}/?schedule={detail['schedule_id']}"]
    return lines


def _link(item: DueNotification, public_url: str | None, share_path: SharePath) -> str:
    link = item.detail.get("link")
    return f"{public_url}{share_path(UUID(link))}" if link and public_url else ""


def _merged_lines(
    item: DueNotification, public_url: str | None, share_path: SharePath
) -> list[str]:
    texts, items = _texts(item), [item, *item.merged]
    lines = [
        texts["merged"].format(count=len(items)),
        "",
        *(
            f"- {_title(each)} {_link(each, public_url, share_path)}".rstrip()
            for each in items[:_MOST_LISTED]
        ),
    ]
    if len(items) > _MOST_LISTED:
        lines.append("- " + texts["merged_more"].format(count=len(items) - _MOST_LISTED))
    return [*lines, "", f"{public_url}/"] if public_url else lines


def _title(item: DueNotification) -> str:
    texts, detail = _texts(item), item.detail
    if item.event == SCHEDULE_PAUSED:
        return texts["subject_paused"].format(name=_one_line(detail["filename"]))
    if item.event in (FILE_SHARED, APPROVAL_ASKED):
        name = _one_line(detail.get("title") or detail["type"])
        subject = "subject_shared" if item.event == FILE_SHARED else "subject_asked"
        return texts[subject].format(owner=_one_line(item.user_id), name=name)
    name = detail["filename"] if item.to_owner else detail.get("title") or detail["type"]
    return texts[f"subject_{detail['status']}"].format(name=_one_line(name))


def _one_line(text: str) -> str:
    """`text` on one line, without control characters and marks that turn the text direction."""
    plain = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
        for char in text
    )
    words = " ".join(plain.split())
    return words if len(words) <= _NAME_CHARS else words[: _NAME_CHARS - 1] + "…"
