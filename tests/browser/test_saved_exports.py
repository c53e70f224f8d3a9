"""Saved exports and schedules as people use them: saved, scheduled, run and shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.judge import findings

PHONE = {"viewport": {"width": 390, "height": 760}, "has_touch": True}
SCHEMES = ("light", "dark")
REQUEST = {"type": "orders", "format": "csv", "params": {"city": "Rome"}}
WORDS = {
    "en-US": ("Save…", "Name", "Save", "Schedule: {}", "Save schedule", "Every Monday at 08:00"),
    "zh-CN": ("保存…", "名称", "保存", "定时：{}", "保存定时任务", "每周一 08:00"),
}


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_an_export_is_saved_scheduled_and_paused(
    visits: Callable[..., Visit], size: dict[str, Any], language: str
) -> None:
    save, name, keep, plan, keep_plan, words = WORDS[language]
    visit = visits(locale=language, timezone_id="Europe/Berlin", **size)
    page = visit.page
    visit.log_in()
    page.locator("#param-1-1, [data-param=city]").first.fill("Rome")

    page.get_by_role("button", name=save).click()
    page.get_by_role("dialog").get_by_label(name, exact=True).fill("Monday report")
    assert [it for scheme in SCHEMES for it in findings(page, scheme)] == []
    page.get_by_role("dialog").get_by_role("button", name=keep, exact=True).click()
    item = page.locator(".saved-item").filter(has_text="Monday report")
    expect(item).to_be_visible()

    item.get_by_role("button", name=plan.format("Monday report")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("ol li")).to_have_count(5)
    assert dialog.locator("#schedule-zone").input_value() == "Europe/Berlin"
    assert [it for scheme in SCHEMES for it in findings(page, scheme)] == []
    dialog.get_by_role("button", name=keep_plan).click()
    expect(item).to_contain_text(words)

    [made] = visit.api.person(visit.tenant).get("/api/schedules").json()["items"]
    assert (made["cron"], made["timezone"]) == ("0 8 * * 1", "Europe/Berlin")
    item.locator("[data-action=pause]").click()
    expect(item.locator("[data-action=resume]")).to_be_visible()
    assert [it for scheme in SCHEMES for it in findings(page, scheme)] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lines = item.locator("button:visible").evaluate_all(
        "all => all.map(one => one.getClientRects().length + one.scrollHeight / one.clientHeight)"
    )
    assert all(height <= 2.1 for height in lines)


def test_a_saved_export_runs_and_its_link_opens_the_form(visit: Visit) -> None:
    ana = visit.api.person(visit.tenant)
    body = {"name": "Rome", "request": REQUEST}
    saved = ana.post("/api/saved-exports", json=body).raise_for_status().json()
    visit.log_in(path=f"/?saved={saved['id']}")
    page = visit.page
    expect(page.get_by_label("City")).to_have_value("Rome")
    expect(page.get_by_role("radio", name="CSV", exact=True)).to_be_checked()

    page.get_by_role("button", name="Run: Rome").click()

    expect(page.locator(".task")).to_have_count(1)
    [task] = visit.tasks()
    assert (task["format"], task["params"]["city"]) == ("csv", "Rome")


def test_by_keyboard_alone_and_a_wrong_rule_is_said_in_the_dialog(visit: Visit) -> None:
    ana = visit.api.person(visit.tenant)
    ana.post("/api/saved-exports", json={"name": "Rome", "request": REQUEST}).raise_for_status()
    visit.log_in()
    page = visit.page
    button = page.get_by_role("button", name="Schedule: Rome")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.locator("#schedule-preset").select_option("other")
    dialog.locator("#schedule-words").fill("whenever")
    expect(dialog.get_by_role("alert")).to_contain_text("five fields")
    visit.forgive("422")
    dialog.locator("#schedule-words").fill("on the last day of every month at 06:00")
    expect(dialog.locator("ol li")).to_have_count(5)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    assert ana.get("/api/schedules").json()["items"] == []


def test_what_a_colleague_shares_is_run_and_not_changed(visit: Visit) -> None:
    bob = visit.api.person(visit.tenant, "bob")
    body = {"name": "For all", "request": REQUEST, "shared": True}
    bob.post("/api/saved-exports", json=body).raise_for_status()
    visit.log_in()

    item = visit.page.locator(".saved-item")

    expect(item).to_contain_text("shared by bob")
    expect(item.get_by_role("button", name="Run: For all")).to_be_enabled()
    expect(item.locator("[data-action=edit]")).to_be_hidden()
    expect(item.locator("[data-action=delete]")).to_be_hidden()
