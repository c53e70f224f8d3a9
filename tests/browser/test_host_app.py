"""Waybill in an application of somebody else: its wheel, login and tables, behind nginx with TLS.

`make test-host` runs the whole suite of the page there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit, open_visit
from tests.support.servers.host_app import Hosted, HostedApi
from tests.support.servers.task_api import TASKS


@pytest.fixture(scope="module")
def host(hosted: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedApi]:
    """The host application, with its own datasets, and with Waybill's worker inside."""
    with hosted(tmp_path_factory.mktemp("host"), None) as api:
        yield api


@pytest.fixture
def visit(browser: Browser, host: HostedApi) -> Iterator[Visit]:
    """A window in which nobody has logged in."""
    visit = open_visit(browser, host, "acme")
    yield visit
    visit.context.close()
    assert visit.unforgiven == []


def enter(page: Page, user: str) -> None:
    """Log in on the host's own page."""
    expect(page.get_by_role("heading", name="The shop")).to_be_visible()
    page.get_by_label("User").fill(user)
    page.get_by_role("button", name="Enter the shop").click()


def test_a_link_leads_through_the_hosts_login_to_an_export_of_its_rows(
    visit: Visit, browser: Browser, tmp_path: Path
) -> None:
    page, api = visit.page, visit.api
    address = f"{api.url}/?type=invoices&format=csv&filename=mine"
    page.goto(address)
    enter(page, "ann")

    expect(page.get_by_role("radio", name="CSV", exact=True)).to_be_checked()
    assert page.url == address
    page.get_by_role("button", name="Start export").click()
    # Progress and end come by the event stream, through nginx.
    card = page.locator(".task").filter(has_text="mine.csv")
    expect(card).to_contain_text("Ready")
    with page.expect_download() as download:
        card.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "invoices.csv")
    assert (tmp_path / "invoices.csv").read_text("utf-8-sig").split() == [
        '"id","company"', '2,"acme"'
    ]  # fmt: skip

    # A colleague of another company follows a share link: through the login, and not to the file.
    session = api.login("acme", "ann", ("finance",))
    owner = api.client(cookies={session["name"]: session["value"]})
    [task] = owner.get(TASKS, params={"q": "mine"}).json()["items"]
    link = owner.post(f"{TASKS}/{task['id']}/links", json={}).json()["url"]
    assert link.startswith(f"{api.url}/d/")
    stranger = open_visit(browser, api)
    stranger.page.goto(link)
    enter(stranger.page, "bob")
    expect(stranger.page).to_have_url(link)
    expect(stranger.page.get_by_role("heading", level=1)).to_contain_text("link")
    stranger.context.close()
