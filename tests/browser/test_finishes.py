"""Whoever waits for an export is told when it ends, wherever they look."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.servers.task_api import TASKS, TaskApi, ask

#: A headless browser shows no notices; this keeps what it was asked to show.
_NOTICES = """
window.shown = [];
window.Notification = class {
  static permission = "%s";
  static async requestPermission() { return (this.permission = "%s"); }
  constructor(title, options) { window.shown.push([title, options.tag]); }
};
"""
_LEAVE = "() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true}); }"
_RETURN = """() => {
  Object.defineProperty(document, 'hidden', {value: false, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def leave(page: Page) -> None:
    """As if another tab was in front."""
    page.evaluate(_LEAVE)


def test_the_title_counts_what_ended_while_somebody_was_away(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    page.add_init_script(_NOTICES % ("granted", "granted"))
    client = centre.person(visit.tenant)
    good, bad = ask(client, filename="good"), ask(client, filename="bad", params={"at_least": 1})
    visit.log_in()
    expect(page.locator(".task")).to_have_count(2)

    leave(page)
    centre.finish(good)
    expect(page).to_have_title("(1) Exports · Waybill")
    centre.fail(bad)
    expect(page).to_have_title("(2) Exports · Waybill")
    # A region that is read out loud, whether or not it can be seen.
    expect(page.get_by_role("status").first).to_contain_text("Export failed: bad.xlsx")
    assert page.evaluate("shown") == [
        ["Export ready: good.xlsx", good["id"]],
        ["Export failed: bad.xlsx", bad["id"]],
    ]

    page.evaluate(_RETURN)
    expect(page).to_have_title("Exports · Waybill")


def test_who_is_looking_is_told_on_the_page_alone(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    page.add_init_script(_NOTICES % ("granted", "granted"))
    task = ask(centre.person(visit.tenant), filename="good")
    visit.log_in()
    expect(page.locator(".task")).to_have_count(1)

    centre.finish(task)

    expect(page.get_by_role("status").first).to_contain_text("Export ready: good.xlsx")
    expect(page).to_have_title("Exports · Waybill")
    assert page.evaluate("shown") == []


@pytest.mark.parametrize(
    ("end", "kind", "said"),
    [
        ("finish", "good", "Export ready"),
        ("fail", "problem", "Export failed"),
        ("cancel", "", "Export cancelled"),
    ],
)
def test_each_end_has_its_own_colour_and_a_cancelled_one_is_not_green(
    visit: Visit, centre: TaskApi, end: str, kind: str, said: str
) -> None:
    client = centre.person(visit.tenant)
    task = ask(client)
    visit.log_in()
    expect(visit.page.locator(".task")).to_have_count(1)
    if end == "cancel":
        client.post(f"{TASKS}/{task['id']}/cancel")
    else:
        getattr(centre, end)(task)
    notice = visit.page.locator("#notice")
    expect(notice).to_contain_text(said)
    expect(notice).to_have_attribute("data-kind", kind)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("granted", "Your browser will notify you when an export is done."),
        ("denied", "Your browser blocks notifications from this page."),
    ],
)
def test_the_browser_asks_for_permission_on_a_click_and_never_before(
    visits: Callable[..., Visit], answer: str, said: str
) -> None:
    visit = visits()
    page = visit.page
    page.add_init_script(_NOTICES % ("default", answer))
    visit.log_in()
    expect(page.locator("#empty")).to_be_visible()
    assert page.evaluate("Notification.permission") == "default"

    page.get_by_role("button", name="Notify me when done").click()

    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("button", name="Notify me when done")).to_be_hidden()


def test_what_had_ended_before_is_no_news(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    centre.finish(ask(centre.person(visit.tenant)))
    visit.log_in()
    expect(page.locator(".task")).to_contain_text("Ready")

    expect(page.locator("#notice")).to_be_hidden()
    expect(page).to_have_title("Exports · Waybill")
