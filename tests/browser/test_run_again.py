"""An export is run again, or changed and run again; and the form keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.support.servers.task_api import TaskApi, ask

PHONE = {"viewport": {"width": 390, "height": 760}, "has_touch": True}
#: The words of each language that a test clicks.
WORDS = {
    "en-US": {
        "details": "Details",
        "again": "Run again",
        "change": "Change…",
        "start": "Start export",
        "filled": "The form has the settings of this export",
        "clear": "Clear form",
        "other": "中文",
    },
    "zh-CN": {
        "details": "详情",
        "again": "再次导出",
        "change": "修改后导出…",
        "start": "开始导出",
        "filled": "表单已填入此导出的设置",
        "clear": "清空表单",
        "other": "English",
    },
}
EVERY_KIND: dict[str, Any] = {
    "name": "ana",
    "exact": 9007199254740993,
    "ratio": -2.25,
    "active": False,
    "checked": False,
    "day": "2026-03-01",
    "moment": "2026-03-01T00:30:00Z",
    "city": None,
    "level": 2,
    "levels": [1, 2],
    "tags": ["one", "two"],
    "extra": {"a": 1},
    "note": None,
}


def control(page: Page, name: str) -> Locator:
    return page.locator(f"[data-param={name}]:visible")


@pytest.mark.parametrize("locale", WORDS)
@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_a_finished_export_is_run_again_by_one_click(
    visits: Callable[..., Visit], centre: TaskApi, locale: str, options: dict[str, Any]
) -> None:
    visit = visits(locale=locale, **options)
    task = ask(centre.person(visit.tenant), params={"city": "Rome"}, format="csv")
    centre.finish(task)
    visit.log_in()

    visit.page.get_by_role("button", name=WORDS[locale]["again"]).click()

    expect(visit.page.locator(".task")).to_have_count(2)
    again, first = visit.tasks()
    assert again["id"] != first["id"]
    assert [again[name] for name in ("params", "format", "filename")] == [
        first[name] for name in ("params", "format", "filename")
    ]


def test_a_doubled_enter_runs_it_once_even_if_the_first_has_ended(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    centre.finish(ask(centre.person(visit.tenant)))
    visit.log_in()
    button = page.get_by_role("button", name="Run again")

    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".task")).to_have_count(2)
    centre.finish(visit.tasks()[0])
    expect(page.locator('.task[data-status="SUCCESS"]')).to_have_count(2)
    button.last.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_contain_text("Only one export was started")
    assert len(visit.tasks()) == 2


@pytest.mark.parametrize("locale", WORDS)
@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_change_fills_the_form_with_every_kind_of_value(
    visits: Callable[..., Visit], centre: TaskApi, locale: str, options: dict[str, Any]
) -> None:
    words = WORDS[locale]
    visit = visits(locale=locale, timezone_id="Asia/Shanghai", **options)
    page, client = visit.page, centre.person(visit.tenant, roles=("sales", "forms"))
    request = {"format": "csv.gz", "filename": "mine", "csv": {"profile": "machine"}}
    centre.finish(ask(client, type="every_kind", params=EVERY_KIND, **request))
    visit.log_in(roles=("sales", "forms"))

    page.get_by_role("button", name=words["details"]).click()
    page.get_by_role("button", name=words["change"]).click()

    expect(page.get_by_role("status").first).to_contain_text(words["filled"])
    expect(page.locator("#dataset")).to_be_focused()
    control(page, "tags").fill("three")
    page.get_by_role("button", name=words["start"]).click()
    expect(page.locator(".task")).to_have_count(2)
    changed = visit.tasks()[0]
    assert changed["params"] == EVERY_KIND | {"tags": ["three"]}
    assert (changed["format"], changed["filename"]) == ("csv.gz", "mine.csv.gz")
    assert changed["csv"]["profile"] == "machine"


def test_a_request_too_long_for_an_address_can_be_changed(visit: Visit, centre: TaskApi) -> None:
    page, client = visit.page, centre.person(visit.tenant, roles=("forms",))
    tags = [f"tag-{number:05}" for number in range(3_000)]
    task = ask(client, type="every_kind", params={"name": "ana", "tags": tags})
    centre.finish(task)

    visit.log_in(("forms",), f"/?change={task['id']}")

    expect(control(page, "tags")).to_have_value("\n".join(tags))
    expect(page.locator(".filter-chip").filter(has_text="Tags")).to_contain_text("and 2,997 more")


def test_the_form_of_somebody_elses_export_stays_closed(visit: Visit, centre: TaskApi) -> None:
    task = ask(centre.person(visit.tenant, "ben"), params={"city": "Rome"})

    visit.log_in(path=f"/?change={task['id']}")

    expect(visit.page.get_by_role("status").first).to_contain_text("task_not_found")
    expect(control(visit.page, "city")).to_have_value("")
    visit.forgive("status of 404")


def fill(page: Page) -> None:
    control(page, "city").fill("Rome")
    control(page, "status").select_option(value='"paid"')
    page.locator("[name=format][value=csv]").check(force=True)
    page.locator("#filename").fill("kept")


def expect_filled(page: Page) -> None:
    expect(control(page, "city")).to_have_value("Rome")
    expect(control(page, "status")).to_have_value('"paid"')
    expect(page.locator("[name=format][value=csv]")).to_be_checked()
    expect(page.locator("#filename")).to_have_value("kept")


@pytest.mark.parametrize("locale", WORDS)
def test_the_form_survives_another_language_and_a_reload(
    visits: Callable[..., Visit], locale: str
) -> None:
    visit = visits(locale=locale)
    page = visit.page
    visit.log_in()
    fill(page)

    page.get_by_role("button", name=WORDS[locale]["other"]).click()
    expect(page.locator("html")).not_to_have_attribute("lang", locale[:2])
    expect_filled(page)
    page.reload()
    expect_filled(page)

    page.locator("#clear-form").click()
    expect(control(page, "city")).to_have_value("")
    page.reload()
    expect(control(page, "city")).to_have_value("")


def test_the_form_survives_a_lost_session_and_is_empty_after_success(visit: Visit) -> None:
    page = visit.page
    visit.log_in()
    fill(page)
    visit.context.clear_cookies()
    page.get_by_role("button", name="Start export").click()
    page.get_by_role("link", name="Log in again").click()
    page.get_by_label("Access token").fill(visit.api.token(visit.tenant))
    page.get_by_role("button", name="Log in").click()

    expect_filled(page)
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_have_count(1)
    page.reload()
    expect(page.locator(".task")).to_have_count(1)
    expect(control(page, "city")).to_have_value("")
    visit.forgive("status of 401")


def test_nobody_finds_the_form_of_the_one_before(visit: Visit) -> None:
    page = visit.page
    visit.log_in()
    fill(page)
    expect(page.locator("#clear-form")).to_be_visible()

    token = visit.api.token(visit.tenant, "ben")
    # The page that is left asks for nothing more: it would be refused, and say so in the console.
    page.goto("about:blank")
    visit.context.clear_cookies()
    page.goto(visit.api.url)
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Log in").click()

    expect(page.locator("#empty")).to_be_visible()
    expect(control(page, "city")).to_have_value("")


def test_a_link_that_was_changed_comes_back_as_it_was_left(visit: Visit) -> None:
    page = visit.page
    visit.log_in(path="/?type=orders&city=Oslo")
    expect(control(page, "city")).to_have_value("Oslo")
    control(page, "city").fill("Rome")
    expect(page.locator("#clear-form")).to_be_visible()

    page.reload()
    expect(control(page, "city")).to_have_value("Rome")
    page.goto(visit.api.url + "/?type=orders&city=Faro")
    expect(control(page, "city")).to_have_value("Faro")
