"""A link is made, copied, counted and taken back on the card of its file."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.servers.task_api import TaskApi, ask

#: Where people find the installation, which is not where the test runs it.
_LINK = re.compile(r"https://exports\.example/d/[\w-]{43}")


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
    assert re.fullmatch(_LINK, link)
    colleague = centre.person(visit.tenant, "ben")
    assert colleague.get(urlsplit(link).path).status_code == 302

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
    assert colleague.get(urlsplit(link).path).status_code == 404
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
    expect(box).to_have_value(_LINK)
    expect(box).to_be_focused()


def test_a_file_without_links_says_what_they_are_for(visit: Visit, centre: TaskApi) -> None:
    centre.finish(ask(centre.person(visit.tenant)))
    visit.log_in()

    visit.page.get_by_role("button", name="Details").click()

    expect(visit.page.locator(".links")).to_contain_text("for colleagues with access to this data")
