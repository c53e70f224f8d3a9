"""A link is made, copied, counted and taken back on the card of its file."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.screens import PHONE
from tests.support.servers.task_api import TASKS, TaskApi, ask


#: Where people find the installation, which is not where the test runs it.
def _link_of(centre: TaskApi) -> re.Pattern[str]:
    public_url = centre.services.settings.public_url or ""
    return re.compile(re.escape(public_url) + r"/d/[\w-]{43}")


def _path(link: str) -> str:
    """Of a share link, below the address of the page."""
    return "/d/" + link.rpartition("/")[2]


def test_a_copied_link_is_counted_and_revoked_on_its_card(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    centre.finish(ask(centre.person(visit.tenant), filename="shared"))
    visit.log_in()
    card = page.locator(".task")

    card.get_by_role("button", name="Details").click()
    card.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").first).to_contain_text(
        "Copied the link to shared.xlsx. It is valid"
    )
    link = page.evaluate("navigator.clipboard.readText()")
    assert _link_of(centre).fullmatch(link)
    colleague = centre.person(visit.tenant, "ben")
    assert colleague.get(_path(link)).status_code == 302

    # The list is read when the details are opened.
    card.get_by_role("button", name="Details").click()
    card.get_by_role("button", name="Details").click()
    expect(card.locator(".links li")).to_have_count(1)
    expect(card.locator(".links li")).to_contain_text("used once · expires in 6 days")
    # A second copy in the same visit is of the same link.
    card.get_by_role("button", name="Copy link").click()
    assert page.evaluate("navigator.clipboard.readText()") == link
    expect(card.locator(".links li")).to_have_count(1)

    card.get_by_role("button", name="Revoke").click()
    expect(card.locator(".links li")).to_contain_text("revoked")
    assert colleague.get(_path(link)).status_code == 404
    card.get_by_role("button", name="Copy link").click()
    expect(card.locator(".links li")).to_have_count(2)
    assert page.evaluate("navigator.clipboard.readText()") != link


def test_where_copying_is_not_allowed_the_link_can_be_taken_by_hand(
    visits: Callable[..., Visit], centre: TaskApi
) -> None:
    visit = visits()
    page = visit.page
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error());")
    centre.finish(ask(centre.person(visit.tenant)))
    visit.log_in()

    page.get_by_role("button", name="Details").click()
    page.get_by_role("button", name="Copy link").click()

    box = page.get_by_label("The browser did not allow copying.")
    expect(box).to_have_value(_link_of(centre))
    expect(box).to_be_focused()


@pytest.mark.parametrize(
    ("locale", "details", "copy", "mail"),
    [("en-US", "Details", "Copy link", "Mail…"), ("zh-CN", "详情", "复制链接", "发邮件…")],
)
@pytest.mark.parametrize("width", [1366, 390])
def test_a_link_has_the_limits_that_were_chosen_and_is_mailed(
    visits: Callable[..., Visit],
    centre: TaskApi,
    width: int,
    locale: str,
    details: str,
    copy: str,
    mail: str,
) -> None:
    visit = visits(locale=locale, viewport={"width": width, "height": 850})
    page = visit.page
    page.add_init_script("window.open = (address) => { window.opened = address; };")
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    task = ask(centre.person(visit.tenant), filename="shared")
    centre.finish(task)
    visit.log_in()
    page.get_by_role("button", name=details).click()
    page.locator("[data-share=days]").select_option("3")
    page.locator("[data-share=uses]").select_option("1")

    page.get_by_role("button", name=copy).click()
    expect(page.locator(".links li .button")).to_have_count(1)
    expect(page.get_by_role("status").first).to_contain_text("shared.xlsx")
    link = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name=mail).click()
    page.wait_for_function("window.opened")

    opened = unquote(page.evaluate("window.opened"))
    assert opened.startswith("mailto:?subject=")
    # The same link: nothing else was chosen meanwhile.
    assert link in opened
    assert "shared.xlsx" in opened
    [made] = centre.person(visit.tenant).get(f"{TASKS}/{task['id']}/links").json()["items"]
    assert made["max_uses"] == 1
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert timedelta(days=2.9) < ends < timedelta(days=3.1)
    colleague = centre.person(visit.tenant, "ben")
    path = _path(link)
    assert [colleague.get(path).status_code for _ in range(2)] == [302, 404]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert findings(page, "light") + findings(page, "dark") == []

    # Another choice is another link.
    page.locator("[data-share=uses]").select_option("")
    page.get_by_role("button", name=copy).click()
    expect(page.locator(".links li")).to_have_count(2)


@pytest.mark.parametrize(
    ("locale", "box", "start"),
    [("en-US", "E-mail me when done", "Start export"), ("zh-CN", "完成后给我发邮件", "开始导出")],
)
def test_a_mail_at_the_end_is_one_tick(
    visits: Callable[..., Visit], centre: TaskApi, locale: str, box: str, start: str
) -> None:
    visit = visits(locale=locale)
    token = centre.token(visit.tenant, "ana", ("sales",), "ana@elsewhere.example")
    visit.context.add_cookies([centre.cookie(token)])
    page = visit.page
    page.goto(centre.url)
    expect(page.get_by_text("ana@elsewhere.example")).to_be_visible()

    page.get_by_label(box).check()
    page.get_by_role("button", name=start).click()
    expect(page.locator(".task")).to_have_count(1)

    [task] = visit.tasks()
    centre.finish(task)
    owner = centre.client(token)
    sent = owner.get(f"{TASKS}/{task['id']}/notifications").json()["items"]
    assert {(item["channel"], item["target"]) for item in sent} == {
        ("notice", None),
        ("email", "ana@elsewhere.example"),
    }


def test_who_has_no_address_is_asked_for_no_mail(visit: Visit) -> None:
    visit.log_in()

    expect(visit.page.get_by_role("button", name="Start export")).to_be_visible()
    expect(visit.page.get_by_label("E-mail me when done")).to_have_count(0)


def test_a_file_without_links_says_what_they_are_for(visit: Visit, centre: TaskApi) -> None:
    centre.finish(ask(centre.person(visit.tenant)))
    visit.log_in()

    visit.page.get_by_role("button", name="Details").click()

    expect(visit.page.locator("[data-slot=links]")).to_contain_text(
        "for colleagues with access to this data"
    )


@pytest.mark.parametrize("options", [{}, PHONE | {"locale": "zh-CN"}], ids=["desktop", "phone"])
def test_a_link_is_mailed_to_a_colleague_who_finds_it_among_what_is_shared(
    visits: Callable[..., Visit], centre: TaskApi, options: dict[str, Any]
) -> None:
    visit = visits(**options)
    page = visit.page
    centre.finish(ask(centre.person(visit.tenant), filename="for bob"))
    visit.log_in()
    card = page.locator(".task")
    card.locator("[data-action=details]").click()
    address = card.locator("[data-share=to]")
    address.fill("bob@elsewhere.example")
    address.press("Enter")
    expect(card.locator("[data-slot=share-problem]")).to_be_visible()
    visit.forgive("status of 422")
    address.fill("bob@acme.example")
    address.press("Enter")
    expect(card.locator(".links li")).to_contain_text("bob@acme.example")
    expect(address).to_have_value("")
    assert findings(page, "light") == []

    token = centre.token(visit.tenant, "bob", ("sales",), "bob@acme.example")
    page.goto("about:blank")
    visit.context.clear_cookies()
    visit.context.add_cookies([centre.cookie(token)])
    page.goto(centre.url)
    shared = page.locator("#shared .saved-item")
    expect(shared).to_contain_text("for bob.xlsx")
    expect(shared).to_contain_text("ana")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(page, "light") + findings(page, "dark") == []
    path = _path(str(shared.get_by_role("link").get_attribute("href")))
    colleague = centre.client(token)
    assert colleague.get(path, follow_redirects=False).status_code == 302
