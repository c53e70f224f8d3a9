"""Share links in a real browser: its rules on cookies, origins and redirects are not ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from playwright.sync_api import expect

from tests.browser.conftest import Browser, Visit, open_visit
from tests.browser.scenes import share
from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi
from waybill.infra.db.tables import export_task


def uses_of(visit: Visit, task_id: str) -> int:
    links = visit.api.person(visit.tenant).get(f"{TASKS}/{task_id}/links").json()["items"]
    return int(links[0]["uses"])


def test_somebody_logs_in_at_a_link_and_gets_the_file(browser: Browser, filed: TaskApi) -> None:
    api = filed
    visit = open_visit(browser, api)
    task_id, path = share(api, visit.tenant, b"id\n1\n")
    # The page that asks for the login is a 401, which the console reports.
    visit.page.goto(api.url + path)
    visit.complaints.clear()
    visit.page.get_by_label("Access token").fill(api.token(visit.tenant, "bob"))

    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Log in").click()

    assert download.value.path().read_bytes() == b"id\n1\n"
    assert uses_of(visit, task_id) == 1
    assert visit.complaints == []

    # From a page of another site: `localhost` is one to a browser.
    visit.page.goto(api.url.replace("127.0.0.1", "localhost"))
    with visit.page.expect_download() as download:
        visit.page.evaluate("address => { location.href = address }", api.url + path)
    assert download.value.path().read_bytes() == b"id\n1\n"
    assert uses_of(visit, task_id) == 2
    visit.context.close()


def test_somebody_runs_an_expired_export_again(visit: Visit):
    task_id, path = share(visit.api, visit.tenant)
    with visit.api.engine.begin() as connection:
        over = datetime.now(UTC) - timedelta(seconds=1)
        row = export_task.c.id == UUID(task_id)
        connection.execute(sa.update(export_task).where(row).values(expires_at=over))
    visit.log_in()
    before = len(visit.tasks())

    visit.page.goto(visit.api.url + path)
    visit.complaints.clear()
    expect(visit.page.get_by_role("heading")).to_contain_text("The file was deleted")
    visit.page.get_by_role("button", name="Run it again for me").click()

    visit.page.get_by_role("heading", name="My exports").wait_for()
    wait_for(lambda: len(visit.tasks()) == before + 1)
