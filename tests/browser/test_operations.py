"""What operators see of all tenants, and what nobody else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit, open_visit
from tests.browser.judge import findings
from tests.browser.scenes import ROLES, dead_letters
from tests.support.living_worker import heartbeat, silence
from tests.support.servers.task_api import TaskApi, ask, running_api
from waybill.infra.tasks.workers import Workers

PAGES = ("/admin", "/admin/exports", "/admin/dead-letters", "/admin/audit-log")


def row(page: Page, text: str) -> str:
    """The cells of the row with `text`, as somebody reads them."""
    cells = page.locator("tr").filter(has_text=text).first.locator("td")
    return " | ".join(cells.all_text_contents())


@pytest.mark.parametrize("path", PAGES)
def test_nobody_but_an_operator_gets_in(centre: TaskApi, path: str) -> None:
    def get(token: str | None) -> httpx2.Response:
        return (centre.page(token) if token else centre.client()).get(path)

    stranger = get(None)
    assert (stranger.status_code, "Log in" in stranger.text) == (200, True)
    assert "Queues" not in stranger.text
    refused = get(centre.token(centre.tenant()))
    assert refused.status_code == 403
    assert "requires the admin role" in refused.text
    assert get(centre.token(centre.tenant(), roles=ROLES)).status_code == 200


def test_the_way_to_the_operators_pages_is_shown_to_operators_only(
    visits: Callable[..., Visit],
) -> None:
    plain, operator = visits(), visits()
    plain.log_in()
    operator.log_in(ROLES)

    expect(plain.page.get_by_role("link", name="Operations")).to_have_count(0)
    operator.page.get_by_role("link", name="Operations").click()
    expect(operator.page.get_by_role("heading", name="Queues")).to_be_visible()


def test_the_overview_shows_queues_workers_and_the_last_day(visit: Visit, centre: TaskApi) -> None:
    tenant, page = centre.tenant(), visit.page
    client = centre.person(tenant)
    centre.begin(ask(client, filename="in hand"))
    ask(client, params={"at_least": 1})
    centre.finish(ask(client, params={"at_least": 2}))

    visit.log_in(ROLES, "/admin")

    assert row(page, "orders").startswith("orders | orders | ")
    assert "in hand.xlsx" in row(page, tenant)
    assert "test-worker" in row(page, tenant)
    chart = page.get_by_role("img", name="Exports per hour")
    expect(chart).to_be_visible()
    assert chart.locator("rect").count() > 0
    # The same figures, for who cannot see the bars.
    page.get_by_text("Show the data as a table").click()
    expect(page.locator("details tbody tr")).to_have_count(24)


def test_the_overview_keeps_itself_fresh_and_what_is_open_open(
    visit: Visit, centre: TaskApi
) -> None:
    page, tenant = visit.page, centre.tenant()
    page.clock.install()
    visit.log_in(ROLES, "/admin")
    page.get_by_text("Show the data as a table").click()
    page.locator("body").click(position={"x": 5, "y": 5})
    centre.begin(ask(centre.person(tenant)))

    page.clock.run_for(10_500)

    expect(page.locator("tr").filter(has_text=tenant)).to_be_visible()
    expect(page.locator("main details")).to_have_attribute("open", "")


def test_a_dead_letter_is_read_and_replayed_once(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    dead_letters(centre, 1)
    visit.log_in(ROLES, "/admin/dead-letters")
    letter = page.locator(".dead-letters > li").first
    expect(letter).to_contain_text("source_unavailable")
    expect(letter).to_contain_text("Attempt 1")
    letter.get_by_text("Message").click()
    expect(letter.locator("pre")).to_contain_text('"task_id"')
    number = page.locator(".dead-letters > li").count()
    action = letter.locator("form").first.get_attribute("action")

    letter.get_by_role("button", name="Replay").click()

    expect(page.get_by_role("status")).to_have_text(
        "The export was submitted again in its owner's name."
    )
    expect(page.locator(".dead-letters > li")).to_have_count(number - 1)
    page.get_by_label("Include handled dead letters").check()
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".dead-letters > li").first).to_contain_text("replayed by ana")

    token = centre.token(visit.tenant, roles=ROLES)
    client = centre.page(token)
    again = client.post(urljoin(centre.url, action or ""))
    assert again.headers["Location"].endswith("outcome=already_replayed")


def test_a_page_of_another_site_cannot_replay(centre: TaskApi) -> None:
    token = centre.token(centre.tenant(), roles=ROLES)

    for headers in ({"Accept": "*/*"}, {"Origin": "https://elsewhere.example"}):
        client = centre.page(token, **headers)
        assert client.post("/admin/dead-letters/1/replay").json()["code"] == "foreign_origin"
        assert client.post("/language", data={"language": "zh"}).json()["code"] == "foreign_origin"


def test_exports_of_all_tenants_are_found_by_filter(visit: Visit, centre: TaskApi) -> None:
    page, tenant = visit.page, centre.tenant()
    centre.fail(ask(centre.person(tenant), filename="lost"))
    ask(centre.person(tenant), params={"at_least": 3}, filename="waits")
    visit.log_in(ROLES, "/admin/exports")

    page.get_by_label("Tenant").fill(tenant)
    page.get_by_label("Status").select_option(label="Failed")
    page.get_by_role("button", name="Filter").click()

    expect(page.locator("tbody tr")).to_have_count(1)
    assert "lost.xlsx | Failed | " + tenant in row(page, "lost.xlsx")
    assert "source_unavailable" in row(page, "lost.xlsx")
    page.get_by_role("link", name="lost.xlsx").click()
    expect(page.locator(".warn")).to_contain_text("source_unavailable")
    expect(page.locator("tbody tr")).to_have_count(4)
    failed = row(page, "attempt_failed")
    assert "Running → Failed" in failed
    assert "code = source_unavailable" in failed


def test_the_audit_log_is_filtered_and_continued(visit: Visit, centre: TaskApi) -> None:
    page, tenant = visit.page, centre.tenant()
    client = centre.person(tenant)
    for number in range(60):
        ask(client, params={"at_least": number})
    visit.log_in(ROLES, f"/admin/audit-log?tenant={tenant}&actor=&action=submit&task_id=")

    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Earlier entries").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.get_by_label("Tenant")).to_have_value(tenant)

    page.get_by_label("Task ID").fill("no id")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_have_text("These filters are invalid.")
    visit.forgive("status of 422")


def test_what_tenants_and_messages_say_is_shown_as_text(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    attack = "<img src=x onerror=alert(1)>"
    task = ask(centre.person(visit.tenant), filename="harmless", params={"city": attack})
    claim = centre.begin(task)
    centre.runs.fail(claim, code="source_failed", message=attack, retry_in=timedelta(minutes=1))
    centre.services.dead_letters.record(attack.encode(), attack, attack)

    for path in PAGES:
        visit.log_in(ROLES, path)
        assert page.locator("main img").count() == 0, path
    page.goto(centre.url + "/admin/dead-letters")
    expect(page.locator(".dead-letters code").first).to_have_text(attack)


def test_an_export_has_a_page_on_which_it_is_cancelled_and_run_again(
    visit: Visit, centre: TaskApi
) -> None:
    page = visit.page
    task = ask(centre.person(centre.tenant()), filename="of a colleague")
    visit.log_in(ROLES, "/admin/exports")
    page.get_by_role("link", name="of a colleague").first.click()
    expect(page.get_by_role("heading", name="of a colleague")).to_be_visible()
    assert findings(page, "light") + findings(page, "dark") == []

    page.get_by_role("button", name="Cancel the export").click()
    expect(page.get_by_role("status")).to_contain_text("is cancelled")
    expect(page.get_by_role("row").filter(has_text="cancel")).to_contain_text("ana")
    page.get_by_role("button", name="Run it again for its owner").click()

    expect(page.get_by_role("status")).to_contain_text("the new task")
    assert task["id"] not in page.url
    token = centre.token(centre.tenant(), roles=("admin",))
    stranger = centre.page(token)
    assert stranger.get(f"/admin/exports/{task['id']}").status_code == 404
    assert stranger.post(f"/admin/exports/{task['id']}/cancel").status_code == 404


def test_a_dead_letter_is_dismissed_with_a_note(visit: Visit, centre: TaskApi) -> None:
    page = visit.page
    dead_letters(centre, 1)
    visit.log_in(ROLES, "/admin/dead-letters")
    letter = page.locator(".dead-letters > li").first
    letter.get_by_text("Dismiss…").click()
    letter.get_by_label("Why nothing has to be done").fill("A test of ours.")
    letter.get_by_role("button", name="Dismiss").click()

    expect(page.get_by_role("status")).to_contain_text("is dismissed")
    page.get_by_label("Include handled dead letters").check()
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".dead-letters > li").first).to_contain_text("A test of ours.")


def test_the_overview_lists_workers_and_names_a_queue_that_nobody_takes(
    visit: Visit, tmp_path: Path, browser: Browser
) -> None:
    page = visit.page
    visit.log_in(ROLES, "/admin")
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    assert row(page, "test-worker").startswith("test-worker | working | ")
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as alone:
        ask(alone.person("acme"))
        other = open_visit(browser, alone, "acme")
        other.log_in(ROLES, "/admin")
        expect(other.page.locator(".warn")).to_contain_text(
            "No worker takes exports from the queue orders."
        )
        expect(other.page.get_by_text("No worker is running.")).to_be_visible()
        other.context.close()


def test_workers_that_died_are_folded_away_below_those_that_live(
    tmp_path: Path, browser: Browser
) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as alone:
        for name in ("a-died", "b-lives", "c-died"):
            Workers(alone.engine).beat(heartbeat(name))
        silence(alone.engine, "a-died", timedelta(hours=1))
        silence(alone.engine, "c-died", timedelta(hours=2))
        visit = open_visit(browser, alone, "acme")
        visit.log_in(ROLES, "/admin")
        page = visit.page
        expect(page.get_by_text("b-lives")).to_be_visible()
        expect(page.get_by_text("a-died")).to_be_hidden()
        page.get_by_text("Workers that fell silent in the last 24 hours: 2.").click()
        names = page.locator("#silent-workers tbody tr td:first-child")
        expect(names).to_have_text(["a-died", "c-died"])
        assert findings(page, "light") == []
        visit.context.close()
