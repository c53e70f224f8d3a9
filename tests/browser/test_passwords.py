"""A file with a password: asked for in the form, shown once, on each screen and language."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.screens import DESKTOP, PHONE
from tests.support.servers.task_api import TASKS, TaskApi

MADE = re.compile(r"[2-9a-z]{5}(-[2-9a-z]{5}){4}")
WORDS = {
    "en-US": {
        "unfold": "New export",
        "start": "Start export",
        "ask": "Protect with a password",
        "title": "Password of the file",
        "once": "it is shown only once and stored nowhere",
        "copied": re.compile("Copied|Copy it by hand"),
        "done": "I have noted it",
        "again": "Run again",
        "always": "Files of this dataset always have a password.",
        "kept": "Encrypted with AES-256",
        "gone": "its password cannot be shown again",
    },
    "zh-CN": {
        "unfold": "新建导出",
        "start": "开始导出",
        "ask": "设置密码保护",
        "title": "文件密码",
        "once": "密码只显示这一次，系统不会存储",
        "copied": re.compile("已复制|请手动复制"),
        "done": "我已保存",
        "again": "再次导出",
        "always": "该数据集的文件均需加密",
        "kept": "已用 AES-256 加密",
        "gone": "密码无法再次显示",
    },
}


def is_well_made(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert findings(page, "light") + findings(page, "dark") == []


def tasks_of(centre: TaskApi, visit: Visit, *roles: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        centre.person(visit.tenant, "ana", roles).get(TASKS).json()["items"]
    )
    return items


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_password_is_asked_for_and_shown_until_it_is_noted(
    visits: Callable[..., Visit], centre: TaskApi, options: dict[str, Any], locale: str
) -> None:
    words, width = WORDS[locale], options["viewport"]["width"]
    visit = visits(locale=locale, **options)
    visit.log_in()
    page = visit.page
    unfold = page.get_by_role("button", name=words["unfold"])
    box = page.get_by_role("checkbox", name=words["ask"])
    if not box.is_visible():
        unfold.click()
    box.check()
    is_well_made(page, width)
    page.get_by_role("button", name=words["start"]).click()

    dialog = page.get_by_role("dialog", name=words["title"])
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text(words["once"])
    password = dialog.locator("code").inner_text()
    assert MADE.fullmatch(password)
    is_well_made(page, width)
    inside = dialog.bounding_box()
    assert inside is not None
    # All of it can be read.
    assert dialog.locator("code").evaluate("(place) => place.scrollWidth <= place.clientWidth")
    assert inside["x"] >= 0
    assert inside["x"] + inside["width"] <= width
    # Nothing but its button takes it away.
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.locator("[data-copy]").click()
    expect(dialog.locator("[data-copy]")).to_have_text(words["copied"])
    dialog.get_by_role("button", name=words["done"]).click()
    expect(dialog).to_be_hidden()

    assert password not in page.content()
    assert page.locator("#password-dialog code").text_content() == ""
    [task] = tasks_of(centre, visit, "sales")
    assert (task["protected"], task["filename"].endswith(".zip")) == (True, True)
    card = page.locator(".task")
    card.locator("[data-action=details]").click()
    expect(card.locator("dl")).to_contain_text(words["kept"])
    page.reload()
    expect(page.locator(".task")).to_be_visible()
    assert password not in page.content()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_dataset_that_demands_a_password_ticks_the_box_by_itself(
    visits: Callable[..., Visit], centre: TaskApi, locale: str
) -> None:
    words = WORDS[locale]
    visit = visits(locale=locale, **DESKTOP)
    visit.log_in(("sales", "legal"))
    page = visit.page
    box = page.get_by_role("checkbox", name=words["ask"])
    page.locator("#dataset").select_option("orders")
    expect(box).not_to_be_checked()
    page.locator("#dataset").select_option("contracts")
    expect(box).to_be_checked()
    expect(box).to_be_disabled()
    expect(page.locator("#password-help")).to_contain_text(words["always"])
    page.locator("#dataset").select_option("orders")
    expect(box).not_to_be_checked()
    expect(box).to_be_enabled()
    page.locator("#dataset").select_option("contracts")
    page.get_by_role("button", name=words["start"]).click()
    expect(page.get_by_role("dialog", name=words["title"])).to_be_visible()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_running_it_again_shows_another_password(
    visits: Callable[..., Visit], centre: TaskApi, locale: str
) -> None:
    words = WORDS[locale]
    visit = visits(locale=locale, **DESKTOP)
    person = centre.person(visit.tenant, "ana", ("sales",))
    first = person.post(
        TASKS, json={"type": "orders", "format": "csv", "params": {}, "password": True}
    ).json()
    person.post(f"{TASKS}/{first['id']}/cancel")
    visit.log_in()
    page = visit.page
    page.get_by_role("button", name=words["again"]).first.click()
    dialog = page.get_by_role("dialog", name=words["title"])
    expect(dialog).to_be_visible()
    password = dialog.locator("code").inner_text()
    assert MADE.fullmatch(password)
    assert password != first["password"]


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_an_answer_that_got_lost_is_followed_by_the_truth_about_the_password(
    visits: Callable[..., Visit], centre: TaskApi, locale: str
) -> None:
    words = WORDS[locale]
    visit = visits(locale=locale, **DESKTOP)
    visit.log_in()
    page = visit.page
    page.get_by_role("checkbox", name=words["ask"]).check()

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route(f"**{TASKS}", lose, times=1)
    page.get_by_role("button", name=words["start"]).click()
    expect(page.locator("#notice")).to_be_visible()
    page.get_by_role("button", name=words["start"]).click()
    expect(page.locator("#notice")).to_contain_text(words["gone"])
    expect(page.get_by_role("dialog", name=words["title"])).to_be_hidden()
    assert len(tasks_of(centre, visit, "sales")) == 1
    visit.forgive("ERR_FAILED")
