"""The task centre as people use it, in a real browser against a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Visit, open_visit
from tests.support.servers.task_api import TaskApi, ask
from waybill.faults import Fault
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.tasks.model import TaskProgress


def start(page: Page) -> None:
    page.get_by_role("button", name="Start export").click()


def card(page: Page, text: str) -> Locator:
    return page.locator(".task").filter(has_text=text)


def test_from_logging_in_to_the_bytes_of_the_file(browser: Browser, filed: TaskApi) -> None:
    api = filed
    visit = open_visit(browser, api)
    page = visit.page
    page.goto(api.url)
    page.get_by_label("Access token").fill(api.token(visit.tenant))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("No exports yet")).to_be_visible()

    page.get_by_label("City").fill("Lisbon")
    page.get_by_role("combobox", name="Status optional").select_option(label="paid")
    page.get_by_role("radio", name="CSV", exact=True).check()
    page.get_by_role("textbox", name="File name optional").fill("Lisbon {today}")
    start(page)

    row = card(page, "Lisbon 20")
    expect(row).to_contain_text("Queued")
    expect(page.get_by_role("status").first).to_contain_text("Export started: Lisbon 20")
    [task] = visit.tasks()
    assert task["format"] == "csv"
    assert task["params"] == {"city": "Lisbon", "status": "paid", "at_least": 0}

    claim = api.begin(task, TaskProgress(300, 1200, 4096, None))
    expect(row).to_contain_text("Running")
    expect(row).to_contain_text("300 of 1,200 rows")
    api.runs.release(claim)
    key = api.key_of(task["id"])
    with api.services.store.open_upload(key, content_type="text/csv") as upload:
        upload.write(b"id\n1\n")
    api.finish(task, key=key)
    expect(row).to_contain_text("Ready")
    expect(row).to_contain_text("1,200 of 1,200 rows, as of")
    expect(row).to_contain_text("5 byte")

    with page.expect_download() as downloading:
        row.get_by_role("link", name="Download").click()
    assert downloading.value.suggested_filename == task["filename"]
    assert Path(downloading.value.path()).read_bytes() == b"id\n1\n"
    assert visit.complaints == []
    visit.context.close()


def test_a_wrong_value_is_explained_beside_its_field(visit: Visit) -> None:
    page = visit.page
    visit.log_in()

    page.get_by_label("At least").fill("5000")
    start(page)

    field = page.get_by_label("At least")
    expect(page.locator(".field").filter(has=field)).to_contain_text("The maximum is 1000")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert visit.tasks() == []

    field.fill("5")
    field.press("Enter")
    expect(page.locator(".task")).to_have_count(1)
    expect(page.get_by_text("The maximum is 1000")).to_be_hidden()


def test_a_failure_says_why_and_can_be_tried_again(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    centre.fail(ask(centre.person(visit.tenant), filename="first"))
    visit.log_in()

    row = card(page, "first.xlsx")
    expect(row).to_contain_text("Failed")
    expect(row).to_contain_text("The source database is currently unavailable.")
    expect(row.locator("code")).to_have_text("source_unavailable")

    row.get_by_role("button", name="Retry").click()
    expect(page.locator(".task")).to_have_count(2)
    expect(page.locator(".task").first).to_contain_text("Queued")


def test_a_task_between_two_attempts_says_that_it_will_go_on(visit: Visit, centre: TaskApi) -> None:
    centre.fail(ask(centre.person(visit.tenant)), retry_in=timedelta(minutes=5))
    visit.log_in()

    expect(visit.page.locator(".task")).to_contain_text("Retrying")
    expect(visit.page.locator(".task")).to_contain_text(
        "The source database is currently unavailable."
    )


def test_a_task_says_what_it_waits_for_and_since_when(visit: Visit, centre: TaskApi) -> None:
    ask(centre.person(visit.tenant))
    TaskOutages(centre.engine).mark(Fault.STORAGE, ["orders"])
    visit.log_in()

    task = visit.page.locator(".task")
    expect(task).to_contain_text("Waiting")
    expect(task).to_contain_text(re.compile(r"Waiting for storage since .*\d+:\d\d"))
    expect(task).to_contain_text("It continues automatically. No attempt is used up.")


def test_a_task_is_cancelled_and_deleted_after_a_second_thought(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    ask(centre.person(visit.tenant))
    visit.log_in()
    row = page.locator(".task")

    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Cancelled")
    row.get_by_role("button", name="Details").click()
    row.get_by_role("button", name="Delete").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Confirm deletion").click()

    expect(page.get_by_text("No exports yet")).to_be_visible()
    assert visit.tasks() == []


def test_what_people_type_is_shown_as_text(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    attack = "<img src=x onerror=alert(1)>"
    task = ask(centre.person(visit.tenant), params={"city": attack}, filename=attack)
    claim = centre.begin(task)
    centre.runs.fail(claim, code=attack, message=attack, retry_in=None)
    visit.log_in()

    row = page.locator(".task")
    row.get_by_role("button", name="Details").click()

    expect(row.locator(".task-problem code")).to_have_text(attack)
    expect(row.locator("h3")).to_contain_text("onerror")
    expect(row.locator("dd").nth(1)).to_have_text(f"City: {attack}")
    expect(row.locator(".filter-chip")).to_have_text(f"City: {attack}")
    assert page.locator(".task img").count() == 0
    assert dialogs == []


def test_a_session_that_ended_leads_back_to_the_log_in(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    visit.log_in()
    visit.context.clear_cookies()

    start(page)

    expect(page.get_by_text("Your session has expired.")).to_be_visible()
    page.get_by_role("link", name="Log in again").click()
    expect(page.get_by_label("Access token")).to_be_visible()
    visit.forgive("status of 401")


def test_a_wrong_token_is_explained(visit: Visit) -> None:
    page = visit.page
    page.goto(visit.api.url)
    page.get_by_label("Access token").fill("not-a-token")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This token is invalid or has expired.")
    visit.forgive("status of 401")


def test_somebody_without_a_role_is_told_so(visit: Visit) -> None:
    visit.log_in(roles=())

    expect(visit.page.get_by_text("You have no access to any dataset.")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 820])
def test_no_screen_scrolls_sideways(
    visits: Callable[..., Visit], centre: TaskApi, width: int
) -> None:
    visit = visits(viewport={"width": width, "height": 800})
    client = centre.person(visit.tenant)
    centre.finish(ask(client, filename="a-very-long-name-" * 9))
    centre.fail(ask(client))
    visit.log_in()
    page = visit.page
    expect(page.locator(".task")).to_have_count(2)
    for button in page.get_by_role("button", name="Details").all():
        button.click()

    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )

    assert overflow == 0
