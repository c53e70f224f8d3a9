"""What mails say: in the language of their reader, and no more than the reader may know."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from waybill.api.explanations import explain
from waybill.api.explanations.codes import TASK_CODES
from waybill.infra.notifications.chinese_causes import CAUSES
from waybill.infra.notifications.mail_texts import MAIL_TEXTS
from waybill.infra.notifications.queue import DueNotification
from waybill.infra.notifications.texts import mail_subject, mail_text
from waybill.infra.tasks.notifications import APPROVAL_ASKED, FILE_SHARED

TASK = UUID("0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10")


def due(status: str = "SUCCESS", **detail: Any) -> DueNotification:
    common = {"type": "orders", "filename": "a.xlsx", "code": None, "message": None}
    return DueNotification(
        id=TASK,
        task_id=TASK,
        tenant_id="acme",
        user_id="ann",
        channel="email",
        event="export.succeeded",
        target="ann@acme.example",
        detail={"status": status, "to_owner": True, **common, **detail},
        created_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        attempt=1,
    )


def test_each_language_has_the_same_sentences() -> None:
    english, *others = (set(texts) for texts in MAIL_TEXTS.values())
    assert others == [english] * len(others)


UNTIL = "2026-03-08T09:00:00+00:00"
FACTS = {"title": "订单", "filters": [["城市", "里斯本"], ["状态", "已付款"]]}


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "CANCELLED"])
@pytest.mark.parametrize("to_owner", [True, False])
def test_a_chinese_mail_has_no_other_word_than_names_and_codes(status: str, to_owner: bool) -> None:
    item = due(status, code="stalled", message="It stood still.", language="zh", to_owner=to_owner)
    item.detail.update(FACTS if to_owner else {"title": "订单"}, filename="a.xlsx", link=str(TASK))
    many = replace(item, merged=tuple(replace(item, id=uuid4()) for _ in range(30)))
    shared = replace(item, event="file.shared", detail=item.detail | {"until": UNTIL})
    paused = replace(item, event="schedule.paused", detail=item.detail | {"schedule_id": "7"})
    for mail in (item, many, paused, shared):
        text = mail_subject(mail) + mail_text(mail, "https://x", "https://x/o", lambda _: "/d/y")
        for name in ("https://x/opt-out", str(TASK), "a.xlsx", "stalled", "ann", "https", "UTC"):
            text = text.replace(name, "")
        words = re.findall("[A-Za-z]{2,}", text.replace("schedule=", "").replace("task=", ""))
        assert words == []
    assert "UTC" in mail_text(shared, None)
    assert ("城市：里斯本；状态：已付款" in mail_text(item, None)) == to_owner


def test_a_mail_to_the_owner_says_what_the_file_holds() -> None:
    item = due(language="en", title="Orders", filters=[["City", "Lisbon"], ["Status", "Paid"]])
    text = mail_text(item, "https://exports.example")
    assert "Export: Orders\nHolds:  City: Lisbon; Status: Paid\n" in text
    assert "Holds:  everything, without filters" in mail_text(due(filters=[]), None)


@pytest.mark.parametrize("code", sorted(TASK_CODES))
def test_a_chinese_mail_about_a_failure_says_what_happened_and_what_to_do(code: str) -> None:
    told = explain(code, "zh")
    for to_owner in (True, False):
        item = due("FAILED", code=code, message="CANARY", language="zh", to_owner=to_owner)
        text = mail_text(item, None)
        assert f"原因：{told.cause}{told.remedy}（错误代码：{code}）" in text
        named = code in {"export_rejected", "invalid_request", "row_too_large"}
        assert ("详细信息：CANARY" in text) == (named and to_owner)
        assert "CANARY" not in text.replace("详细信息：CANARY", "")


def test_a_chinese_mail_explains_why_a_schedule_is_paused_and_invents_no_cause() -> None:
    facts = {"schedule_id": "7", "message": "The owner left.", "language": "zh"}
    paused = replace(due("FAILED", code="owner_revoked", **facts), event="schedule.paused")
    assert CAUSES["owner_revoked"][0] in mail_text(paused, None)
    newer = replace(due("FAILED", code="of_a_later_version", **facts), event="schedule.paused")
    assert "错误代码 of_a_later_version，详情请查看任务页面" in mail_text(newer, None)


def test_an_english_mail_has_the_message_for_its_owner_and_the_code_for_others() -> None:
    own = due("FAILED", code="stalled", message="It stood still.")
    assert "Cause:  It stood still. (stalled)" in mail_text(own, None)
    other = mail_text(
        due("FAILED", code="stalled", message="It stood still.", to_owner=False), None
    )
    assert "Cause:  stalled" in other
    assert "still." not in other


@pytest.mark.parametrize(
    "event", ["export.succeeded", "export.failed", FILE_SHARED, APPROVAL_ASKED]
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_r40_no_event_brings_a_text_of_its_owner_into_a_mail_to_others(
    event: str, language: str
) -> None:
    bomb = "sign in at evil.example"
    said = {"filename": f"{bomb}.csv", "message": bomb, "filters": [[bomb, bomb]], "until": UNTIL}
    status, code = ("FAILED", "stalled") if event == "export.failed" else ("SUCCESS", None)
    item = replace(
        due(status, to_owner=False, language=language, title="Orders", code=code, **said),
        event=event,
        target="ceo@corp.example",
    )
    for mail in (item, replace(item, merged=(replace(item, id=uuid4()),))):
        text = mail_subject(mail) + mail_text(mail, "https://x", "https://x/o", lambda _: "/d/y")
        assert "evil" not in text
        assert "Orders" in text
