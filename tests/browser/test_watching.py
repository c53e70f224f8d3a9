"""The list stays true: by polling with patience, over a cut network, and in two tabs alike."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.eventually import wait_for
from tests.support.servers.task_api import TaskApi, ask

OFFLINE = "No connection"
PATIENCE = "Still running. You can leave this page and come back later."


#: Notes when the list is asked for, by the clock of the page.
_NOTE_LOOKS = """
window.looks = [];
window.inFlight = 0;
const fetched = window.fetch;
window.fetch = async (path, options) => {
  if (path.includes("/api/export-tasks?")) window.looks.push(Date.now());
  window.inFlight += 1;
  try {
    const answer = await fetched(path, options);
    await answer.clone().text();
    return answer;
  } finally {
    window.inFlight -= 1;
  }
};
"""


def let_pass(page: Page, seconds: int) -> None:
    """Let so many seconds pass on the page, with answers in between as they would come."""
    for _ in range(seconds):
        page.clock.run_for(1000)
        while page.evaluate("window.inFlight"):
            pass


def test_without_events_it_looks_after_2_4_8_and_15_seconds_and_then_once_a_minute(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    # As by a proxy that knows no streams.
    page.route("**/events", lambda route: route.abort())
    page.clock.install(time=0)
    page.add_init_script(_NOTE_LOOKS)
    task = ask(centre.person(visit.tenant))
    visit.log_in()
    expect(page.locator(".task")).to_have_count(1)
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)

    let_pass(page, 75)

    expect(page.get_by_text(PATIENCE)).to_be_visible()
    looks = page.evaluate("looks")
    waits = [round((after - before) / 1000) for before, after in pairwise(looks)]
    assert len(waits) == 6
    for wait, due in zip(waits, (2, 4, 8, 15, 15, 15), strict=True):
        assert due <= wait <= due + 2, waits
    let_pass(page, 60)
    assert page.evaluate("looks.length") == len(looks) + 1
    expect(page.get_by_text(PATIENCE)).to_be_visible()

    centre.finish(task)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".task")).to_contain_text("Ready")
    expect(page.get_by_text(PATIENCE)).to_be_hidden()
    # Nothing runs any more, and an export that is started elsewhere still appears.
    ask(centre.person(visit.tenant), params={"city": "Faro"})
    let_pass(page, 60)
    expect(page.locator(".task")).to_have_count(2)
    visit.forgive("ERR_FAILED")


def test_a_lost_connection_is_said_and_what_was_missed_comes_with_it(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    task = ask(centre.person(visit.tenant))
    visit.log_in()
    expect(page.locator(".task")).to_contain_text("Queued")

    visit.context.set_offline(True)
    expect(page.get_by_text(OFFLINE)).to_be_visible()
    centre.finish(task)
    expect(page.locator(".task")).to_contain_text("Queued")
    visit.context.set_offline(False)

    expect(page.locator(".task")).to_contain_text("Ready")
    expect(page.get_by_text(OFFLINE)).to_be_hidden()
    visit.forgive("ERR_INTERNET")


def test_two_tabs_agree(visit: Visit, centre: TaskApi) -> None:
    first, second = visit.page, visit.context.new_page()
    visit.listen(second)
    visit.log_in()
    expect(first.locator("#empty")).to_be_visible()
    second.goto(centre.url)
    expect(second.locator("#empty")).to_be_visible()

    # A tab behind draws once a second, and a click waits for that.
    first.bring_to_front()
    first.get_by_role("button", name="Start export").click()
    expect(second.locator(".task")).to_contain_text("Queued")

    second.bring_to_front()
    second.get_by_role("button", name="Cancel").click()
    for page in (first, second):
        expect(page.locator(".task")).to_contain_text("Cancelled")

    first.bring_to_front()
    first.get_by_role("button", name="Details").click()
    first.get_by_role("button", name="Delete").click()
    first.get_by_role("button", name="Confirm deletion").click()
    for page in (first, second):
        expect(page.locator(".task")).to_have_count(0)


def test_events_of_another_person_in_another_tab_stay_theirs(
    visits: Callable[..., Visit], centre: TaskApi
) -> None:
    """Somebody logs in as another one in a second tab; the first tab is still open."""
    visit = visits()
    visit.log_in()
    wait_for(lambda: centre.open_streams() == 1)
    other = visit.context.new_page()
    visit.listen(other)
    before, visit.tenant = visit.tenant, centre.tenant()
    visit.context.clear_cookies()
    first, visit.page = visit.page, other
    visit.log_in()
    expect(other.locator("#empty")).to_be_visible()

    ask(centre.person(before), filename="not for the other one")
    ask(centre.person(visit.tenant), filename="mine")
    other.reload()

    expect(other.locator(".task h3")).to_have_text(["mine.xlsx"])
    first.close()
