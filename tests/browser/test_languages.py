"""The pages speak the reader's language, and the one chosen on the page before that."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.scenes import ROLES, every_state


def test_a_browser_that_wants_chinese_gets_it_to_the_numbers_and_dates(
    visits: Callable[..., Visit],
) -> None:
    visit = visits(locale="zh-CN")
    every_state(visit.api, visit.tenant)
    visit.log_in()
    page = visit.page

    expect(page).to_have_title("导出任务 · Waybill")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    ready = page.locator(".task[data-status=SUCCESS]")
    expect(ready).to_contain_text("4,812,330 / 4,812,330 行，数据截至")
    expect(ready).to_contain_text("31分钟前")
    expect(ready).to_contain_text("年")
    expect(page.get_by_role("button", name="开始导出")).to_be_visible()


def test_a_language_is_switched_where_one_is_and_stays(visits: Callable[..., Visit]) -> None:
    visit = visits(locale="zh-CN")
    page = visit.page
    visit.log_in(path="/?status=FAILED")
    expect(page.get_by_text("没有匹配的导出")).to_be_visible()

    page.get_by_role("button", name="English").click()

    expect(page.get_by_text("No matching exports")).to_be_visible()
    expect(page).to_have_url(visit.api.url + "/?status=FAILED")
    page.goto(visit.api.url)
    expect(page.get_by_role("heading", name="My exports")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="我的导出")).to_be_visible()


def test_operators_and_those_who_log_in_are_spoken_to_alike(visits: Callable[..., Visit]) -> None:
    visit = visits(locale="zh-CN")
    page = visit.page
    page.goto(visit.api.url)
    expect(page.get_by_role("heading", name="登录")).to_be_visible()

    visit.log_in(ROLES, "/admin")

    expect(page.get_by_role("heading", name="工作进程", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="审计日志")).to_be_visible()


#: All that is written, also in what is hidden and not filled in yet; names of zones and data apart.
_WORDS = """() => {
  const templates = [...document.querySelectorAll("template")].map((one) => one.content);
  const others = "script, [data-dataset]:not([data-dataset=people]), select[id$=zone], "
    + "#dataset, [name=type], .who, th, td";
  const names = ["aria-label", "title", "placeholder", "alt"];
  return [document.body, ...templates].flatMap((root) => {
    const copy = root.cloneNode(true);
    for (const one of copy.querySelectorAll(others)) one.remove();
    const said = [...copy.querySelectorAll("*")]
      .flatMap((one) => names.map((name) => one.getAttribute(name) ?? ""));
    return [copy.textContent, ...said].join(" ").match(/[A-Za-z]{2,}/g) ?? [];
  });
}"""
_NAMES = {
    *("Waybill", "Excel", "CSV", "gzip", "zip", "JSON", "Lines", "Parquet", "UTC", "UTF", "ISO"),
    *("cron", "kB", "today"),
    # What opens a file with a password: AES-256 in a zip.
    *("AES", "Keka", "WinZip", "Zip"),
}


def test_no_latin_word_is_on_the_chinese_page_but_names_and_formats(
    visits: Callable[..., Visit],
) -> None:
    visit = visits(locale="zh-CN", timezone_id="Asia/Shanghai")
    visit.log_in(("forms",), "/?type=people&format=csv")
    page = visit.page
    expect(page.locator("#empty")).to_be_visible()
    page.locator("#choose").click()
    expect(page.locator("#columns > li")).to_have_count(5)
    page.locator("#order-add").click()

    assert set(page.evaluate(_WORDS)) - _NAMES == set()
