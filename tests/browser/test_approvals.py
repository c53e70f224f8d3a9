"""An export that waits for an approval: asked for with a reason, answered by somebody else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.boxes import boxes, meet
from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.screens import DESKTOP, PHONE
from tests.support.servers.task_api import TASKS, TaskApi

WORDS = {
    "en-US": {
        "unfold": "New export",
        "start": "Start export",
        "needed": "Somebody else has to approve this export before it runs.",
        "marked": "The file will carry your name. Do not pass it on.",
        "waits": "Awaiting approval",
        "title": "Waiting for your approval",
        "approved": "Approved. The export of ana runs now.",
        "declined": "Declined. ana will be notified.",
        "was declined": "The request was declined. Note: Ask legal first.",
    },
    "zh-CN": {
        "unfold": "新建导出",
        "start": "开始导出",
        "needed": "此导出须经他人审批后才会开始。",
        "marked": "文件中会标注您的姓名，请勿外传。",
        "waits": "待审批",
        "title": "待我审批",
        "approved": "已批准，ana 的导出即将开始。",
        "declined": "已驳回，系统会通知 ana。",
        "was declined": "您的申请未获批准。 备注：Ask legal first.",
    },
}
SALARIES = {"type": "salaries", "format": "xlsx", "params": {}, "reason": "For the auditors."}


def asked(centre: TaskApi, tenant: str, **changes: Any) -> dict[str, Any]:
    """What ana asks for."""
    answer = centre.person(tenant, "ana", ("hr",)).post(TASKS, json=SALARIES | changes)
    assert answer.status_code == 202, answer.text
    task: dict[str, Any] = answer.json()
    return task


def open_as(visit: Visit, centre: TaskApi, user: str, *roles: str) -> Page:
    visit.context.add_cookies([centre.cookie(centre.token(visit.tenant, user, roles))])
    visit.page.goto(centre.url)
    return visit.page


def is_well_made(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert findings(page, "light") + findings(page, "dark") == []


def answers(page: Page) -> Locator:
    return page.locator("#approvals .approval")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_who_asks_gives_a_reason_and_sees_what_it_waits_for(
    visits: Callable[..., Visit], centre: TaskApi, options: dict[str, Any], locale: str
) -> None:
    words = WORDS[locale]
    visit = visits(locale=locale, **options)
    page = open_as(visit, centre, "ana", "hr")
    reason = page.locator("#reason")
    expect(page.get_by_text(words["needed"])).to_be_visible()
    expect(page.get_by_text(words["marked"])).to_be_visible()

    page.get_by_role("button", name=words["start"]).click()
    expect(reason).to_be_focused()
    expect(page.locator("#reason-problem")).to_be_visible()
    assert visit.api.person(visit.tenant).get(TASKS).json()["items"] == []
    reason.fill("For the auditors.")
    expect(page.locator("#reason-problem")).to_be_hidden()
    page.get_by_role("button", name=words["start"]).click()

    card = page.locator(".task")
    expect(card).to_contain_text(words["waits"])
    card.locator("[data-action=details]").click()
    expect(card.locator("dl")).to_contain_text("For the auditors.")
    is_well_made(page, options["viewport"]["width"])


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_who_may_answer_approves_by_keyboard(
    visits: Callable[..., Visit], centre: TaskApi, options: dict[str, Any], locale: str
) -> None:
    words = WORDS[locale]
    visit = visits(locale=locale, **options)
    task = asked(centre, visit.tenant, params={"city": "Lisbon"})
    asked(centre, visit.tenant, reason="Another one.\nWith a second line.")
    page = open_as(visit, centre, "lea", "hr", "lead")
    expect(page.get_by_role("heading", name=words["title"])).to_be_visible()
    expect(answers(page)).to_have_count(2)
    first = answers(page).first
    expect(first).to_contain_text("For the auditors.")
    expect(first).to_contain_text("Lisbon")
    is_well_made(page, options["viewport"]["width"])
    found = boxes(page, "#approvals :is(.button, input, h3, .filter-chip)")
    assert [pair for pair in combinations(found, 2) if meet(*pair)] == []

    first.get_by_role("textbox").focus()
    page.keyboard.type("Until Friday.")
    # It approves nothing by itself.
    page.keyboard.press("Enter")
    expect(answers(page)).to_have_count(2)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_contain_text(words["approved"])
    expect(answers(page)).to_have_count(1)
    expect(page.locator("#approvals-title")).to_be_focused()
    mine = centre.person(visit.tenant, "ana", ("hr",)).get(f"{TASKS}/{task['id']}").json()
    assert (mine["approval"]["state"], mine["approval"]["note"]) == ("approved", "Until Friday.")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_declined_export_says_so_to_who_asked(
    visits: Callable[..., Visit], centre: TaskApi, locale: str
) -> None:
    words = WORDS[locale]
    visit, other = visits(locale=locale), visits(locale=locale)
    other.tenant = visit.tenant
    asked(centre, visit.tenant)
    page, approver = (
        open_as(visit, centre, "ana", "hr"),
        open_as(other, centre, "lea", "hr", "lead"),
    )
    expect(page.locator(".task")).to_contain_text(words["waits"])

    line = answers(approver)
    line.get_by_role("textbox").fill("Ask legal first.")
    line.locator("[value=decline]").click()

    expect(approver.get_by_role("status").first).to_contain_text(words["declined"])
    expect(approver.locator("#approvals")).to_be_hidden()
    expect(page.locator(".task")).to_contain_text(words["was declined"])
    is_well_made(page, 1280)


def test_a_new_request_appears_without_a_reload(
    visits: Callable[..., Visit], centre: TaskApi
) -> None:
    visit = visits()
    page = open_as(visit, centre, "lea", "hr", "lead")
    expect(page.locator("#approvals")).to_be_hidden()

    asked(centre, visit.tenant)

    expect(answers(page)).to_have_count(1)
    expect(page.get_by_role("status").first).to_contain_text("ana asks for your approval: Salaries")


def test_who_may_not_answer_is_not_asked(visits: Callable[..., Visit], centre: TaskApi) -> None:
    visit = visits()
    asked(centre, visit.tenant)
    page = open_as(visit, centre, "bob", "hr")

    expect(page.get_by_role("button", name="Start export")).to_be_visible()
    expect(page.locator("#approvals")).to_be_hidden()
