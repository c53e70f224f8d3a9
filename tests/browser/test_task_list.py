"""The list finds what is looked for, keeps its place in the address, and takes many exports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.states import TaskStatus


def names(page: Page) -> list[str]:
    return page.locator(".task h3").all_text_contents()


@pytest.fixture
def filled(visit: Visit, centre: TaskApi) -> Visit:
    """A list of 45 exports, every ninth of which was cancelled."""
    client = centre.person(visit.tenant)
    for number in range(45):
        city = "Lisbon" if number % 3 else "Porto"
        task = ask(client, params={"at_least": number}, filename=f"{city} {number:02}")
        if number % 9 == 0:
            client.post(f"{TASKS}/{task['id']}/cancel")
    return visit


def test_the_address_keeps_filters_and_page_over_back_forward_and_reload(filled: Visit) -> None:
    page, url = filled.page, filled.api.url
    filled.log_in()
    expect(page.get_by_text("1–20 of 45")).to_be_visible()

    page.get_by_role("button", name="Older").click()
    expect(page).to_have_url(f"{url}/?page=2")
    expect(page.get_by_text("21–40 of 45")).to_be_visible()

    # A search begins on its first page.
    page.get_by_role("searchbox").fill("lisbon")
    expect(page).to_have_url(f"{url}/?q=lisbon")
    expect(page.get_by_text("1–20 of 30")).to_be_visible()
    page.get_by_role("button", name="Older").click()
    expect(page).to_have_url(f"{url}/?q=lisbon&page=2")
    expect(page.get_by_text("21–30 of 30")).to_be_visible()

    page.reload()
    expect(page.get_by_text("21–30 of 30")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("lisbon")
    page.go_back()
    expect(page.get_by_text("1–20 of 30")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("21–40 of 45")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.go_forward()
    expect(page.get_by_text("1–20 of 30")).to_be_visible()


def test_the_list_is_narrowed_by_state_and_data_and_widened_again(filled: Visit) -> None:
    page = filled.page
    filled.log_in(("sales", "finance"))
    page.get_by_label("Filter by status").select_option(label="Cancelled")
    expect(page.locator(".task")).to_have_count(5)
    assert names(page) == [f"Porto {number:02}.xlsx" for number in (36, 27, 18, 9, 0)]

    page.get_by_label("Filter by dataset").select_option(label="Ledger")
    expect(page.get_by_text("No matching exports")).to_be_visible()
    expect(page.get_by_text("No exports yet")).to_be_hidden()
    page.get_by_role("button", name="Clear filters").click()

    expect(page.get_by_text("1–20 of 45")).to_be_visible()
    expect(page).to_have_url(filled.api.url + "/")


def test_a_page_that_is_no_longer_there_leads_to_the_last_one(filled: Visit) -> None:
    filled.log_in(path="/?page=99")

    expect(filled.page.get_by_text("41–45 of 45")).to_be_visible()
    expect(filled.page).to_have_url(f"{filled.api.url}/?page=3")


def test_an_address_that_makes_no_sense_is_no_fault(visits: Callable[..., Visit]) -> None:
    visit = visits()
    visit.log_in(path="/?page=-1&status=NONSENSE&q=%00")

    expect(visit.page.get_by_role("status").first).to_contain_text("invalid_request")
    expect(visit.page.get_by_role("button", name="Start export")).to_be_enabled()
    visit.forgive("status of 422")


def test_ten_thousand_exports_can_be_paged_through_and_searched(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    _fill(centre, visit.tenant, 10_000)
    visit.log_in()

    page.reload()
    expect(page.get_by_text("1–20 of 10,000")).to_be_visible()
    page.goto(visit.api.url + "/?page=500")
    expect(page.get_by_text("9,981–10,000 of 10,000")).to_be_visible()
    page.get_by_role("searchbox").fill("export-04711")
    expect(page.get_by_text("export-04711.xlsx")).to_be_visible()

    assert names(page) == ["export-04711.xlsx"]


def _fill(api: TaskApi, tenant: str, count: int) -> None:
    """As many ended exports of ana, copied from one that the API made."""
    first = ask(api.person(tenant), filename="first")
    api.person(tenant).post(f"{TASKS}/{first['id']}/cancel")
    with api.engine.begin() as connection:
        found = connection.execute(sa.select(export_task).where(export_task.c.tenant_id == tenant))
        row = dict(found.mappings().one())
        begin = datetime.now(UTC) - timedelta(days=30)
        copies = [
            row
            | {
                "id": uuid4(),
                "filename": f"export-{number:05}.xlsx",
                "search_text": f"export-{number:05}.xlsx",
                "status": TaskStatus.CANCELLED,
                "created_at": begin + timedelta(minutes=number),
            }
            for number in range(count - 1)
        ]
        connection.execute(sa.insert(export_task), copies)
