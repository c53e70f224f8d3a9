"""The bell keeps what ended while nobody was there, until it has been read."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.servers.task_api import TaskApi, ask


def test_notices_are_counted_read_once_and_lead_to_their_export(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    client = centre.person(visit.tenant)
    centre.finish(ask(client, filename="good"))
    centre.fail(ask(client, filename="bad", params={"at_least": 1}))
    visit.log_in()

    page.get_by_role("button", name="2 unread notifications").click()
    panel = page.get_by_role("region", name="Notifications")
    expect(panel.locator("li a")).to_have_text(
        ["Export failed: bad.xlsx", "Export ready: good.xlsx"]
    )
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_focused()

    page.reload()
    page.get_by_role("button", name="Notifications", exact=True).click()
    panel.get_by_role("link", name="Export ready: good.xlsx").click()
    expect(page.locator(".task h3")).to_have_text(["good.xlsx"])


def test_an_end_that_is_seen_rings_the_bell_at_once(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    task = ask(centre.person(visit.tenant))
    visit.log_in()
    expect(page.locator(".task")).to_have_count(1)
    page.get_by_role("button", name="Notifications", exact=True).click()
    expect(page.get_by_text("You will see one here when an export ends.")).to_be_visible()

    centre.finish(task)

    expect(page.get_by_role("button", name="1 unread notification")).to_be_visible()
