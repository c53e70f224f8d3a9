"""Everybody can use the pages: axe-core finds nothing serious, and a keyboard is enough."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.judge import findings
from tests.browser.scenes import ROLES, dead_letters, every_state
from tests.support.servers.task_api import TaskApi, ask


def _sign_in(visit: Visit) -> None:
    visit.page.goto(visit.api.url)


def _reference(visit: Visit) -> None:
    visit.page.goto(visit.api.url + "/docs#submit")
    expect(visit.page.locator("#submit")).to_be_visible()


def _empty(visit: Visit) -> None:
    visit.log_in()
    expect(visit.page.locator("#empty")).to_be_visible()


def _every_state(visit: Visit) -> None:
    every_state(visit.api, visit.tenant)
    visit.log_in(ROLES)
    expect(visit.page.locator(".task")).to_have_count(8)
    for button in visit.page.get_by_role("button", name="Details").all():
        button.click()


def _no_match(visit: Visit) -> None:
    ask(visit.api.person(visit.tenant))
    visit.log_in(path="/?q=nothing")
    expect(visit.page.locator("#no-match")).to_be_visible()


def _wrong(visit: Visit) -> None:
    visit.log_in(("forms",))
    visit.page.get_by_role("button", name="Start export").click()
    expect(visit.page.locator(".field-problem:visible")).to_have_count(1)


def _offline(visit: Visit) -> None:
    visit.log_in()
    expect(visit.page.locator("#empty")).to_be_visible()
    visit.context.set_offline(True)
    expect(visit.page.locator("#notice")).to_be_visible()
    visit.forgive("ERR_INTERNET")


def _operations(path: str) -> Callable[[Visit], None]:
    def stage(visit: Visit) -> None:
        api = visit.api
        api.finish(ask(api.person(), params={"at_least": 1}))
        api.begin(ask(api.person(), params={"at_least": 2}))
        dead_letters(api, 1)
        visit.log_in(ROLES, path)
        for summary in visit.page.locator("summary").all():
            summary.click()

    return stage


def _forbidden(visit: Visit) -> None:
    visit.log_in(path="/admin")
    visit.forgive("status of 403")


STATES = {
    "reference": _reference,
    "sign in": _sign_in,
    "empty": _empty,
    "every state": _every_state,
    "no match": _no_match,
    "wrong values": _wrong,
    "offline": _offline,
    "overview": _operations("/admin"),
    "all exports": _operations("/admin/exports"),
    "dead letters": _operations("/admin/dead-letters"),
    "audit log": _operations("/admin/audit-log"),
    "forbidden": _forbidden,
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_serious(visit: Visit, state: str) -> None:
    STATES[state](visit)

    assert findings(visit.page, "light") + findings(visit.page, "dark") == []


def test_a_keyboard_is_enough_to_start_filter_and_open(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    centre.finish(ask(centre.person(visit.tenant), filename="before"))
    visit.log_in()
    expect(page.locator(".task")).to_have_count(1)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to my exports")).to_be_focused()
    page.keyboard.press("Enter")
    # Straight to the list, past the form.
    page.keyboard.press("Tab")
    while not page.get_by_role("searchbox").evaluate("box => box === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.type("before")
    expect(page).to_have_url(visit.api.url + "/?q=before")

    details = page.get_by_role("button", name="Details")
    details.focus()
    outline = details.evaluate("button => getComputedStyle(button).outlineStyle")
    page.keyboard.press("Enter")

    assert outline == "solid"
    expect(details).to_have_attribute("aria-expanded", "true")
    expect(details).to_be_focused()
    expect(page.locator(".task dl")).to_be_visible()


def test_nothing_moves_for_those_who_want_no_motion(visits: Callable[..., Visit]) -> None:
    visit = visits(reduced_motion="reduce")
    visit.api.begin(ask(visit.api.person(visit.tenant)))
    visit.log_in()

    bar = visit.page.locator("progress")
    expect(bar).to_be_visible()
    assert bar.evaluate("bar => getComputedStyle(bar).animationName") == "none"
