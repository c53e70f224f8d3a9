"""The page behind a proxy that strips a prefix and rewrites `Host`, as `proxy_pass` does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit, open_visit
from tests.browser.scenes import ROLES
from tests.support.servers.http_proxy import HttpProxy, proxied
from tests.support.servers.task_api import running_api
from waybill.api.session.cookie import SESSION_COOKIE

pytestmark = pytest.mark.own_server("proxies that are set up otherwise than the host's")


@contextmanager
def behind(proxy: HttpProxy, browser: Browser, home: Path, public_url: str) -> Iterator[Visit]:
    """A visit to a task centre behind `proxy`."""
    with running_api(f"sqlite:///{home}/tasks.db", home, public_url=public_url) as api:
        proxy.target = api.url
        visit = open_visit(browser, api)
        try:
            yield visit
        finally:
            visit.context.close()


def log_in_by_form(visit: Visit, address: str) -> None:
    visit.page.goto(address)
    visit.page.get_by_label("Access token").fill(visit.api.token(visit.tenant, "ana", ROLES))
    visit.page.get_by_role("button", name="Log in").click()


def test_fc51_fc56_all_of_the_page_works_under_a_prefix_and_another_host(
    browser: Browser, tmp_path: Path
) -> None:
    with proxied("", prefix="/waybill", host="backend:8000") as proxy:
        # No secure context, so the browser sends no `Sec-Fetch-Site`.
        address = proxy.url.replace("127.0.0.1", "intranet.test") + "/waybill"
        with behind(proxy, browser, tmp_path, address) as visit:
            page = visit.page
            log_in_by_form(visit, f"{address}/")
            expect(page.locator("#empty")).to_be_visible()
            assert page.url == f"{address}/"
            [cookie] = visit.context.cookies()
            assert (cookie["name"], cookie["path"]) == (SESSION_COOKIE, "/waybill")

            page.get_by_label("Dataset", exact=True).select_option(label="Orders")
            page.get_by_role("button", name="Start export").click()
            expect(page.locator(".task")).to_contain_text("Queued")
            [task] = visit.tasks()
            visit.api.finish(task)
            expect(page.locator(".task")).to_contain_text("Ready")
            download = page.get_by_role("link", name="Download")
            expect(download).to_have_attribute(
                "href", f"/waybill/api/export-tasks/{task['id']}/download"
            )
            page.get_by_role("button", name="Details").click()
            page.get_by_role("button", name="Copy link").click()
            box = page.get_by_label("The browser did not allow copying.")
            expect(box).to_have_value(re.compile(f"^{re.escape(address)}/d/"))

            page.goto(f"{address}/?status=FAILED")
            page.get_by_role("button", name="中文").click()
            expect(page.get_by_text("没有匹配的导出")).to_be_visible()
            assert page.url == f"{address}/?status=FAILED"
            page.get_by_role("button", name="English").click()

            page.get_by_role("link", name="Operations").click()
            page.get_by_role("link", name="Audit log").click()
            expect(page.locator("table")).to_contain_text("submit")
            assert page.url == f"{address}/admin/audit-log"
            page.get_by_role("link", name="Exports", exact=True).click()

            page.get_by_role("button", name="Details").click()
            page.get_by_role("button", name="Delete").click()
            page.get_by_role("button", name="Confirm deletion").click()
            expect(page.locator("#empty")).to_be_visible()
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("heading", name="Log in")).to_be_visible()
            assert page.url == f"{address}/"
            assert [item["name"] for item in visit.context.cookies()] == ["waybill_language"]
            # Chromium says so of every page over plain HTTP.
            visit.forgive("Cross-Origin-Opener-Policy")
            assert visit.unforgiven == []


def test_a_browser_knows_its_own_page_behind_a_proxy_nobody_has_configured(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        proxied("", host="backend:8000") as proxy,
        behind(proxy, browser, tmp_path, "") as visit,
    ):
        # A secure context: `Sec-Fetch-Site` says that the form is the page's own.
        log_in_by_form(visit, proxy.url)

        expect(visit.page.locator("#empty")).to_be_visible()
        assert visit.complaints == []


def test_a_person_who_is_refused_reads_why_and_no_json(browser: Browser, tmp_path: Path) -> None:
    with (
        proxied("", host="backend:8000") as proxy,
        behind(proxy, browser, tmp_path, "") as visit,
    ):
        log_in_by_form(visit, proxy.url.replace("127.0.0.1", "intranet.test"))

        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("through a proxy")
        expect(visit.page.locator("main")).to_contain_text("WAYBILL_PUBLIC_URL")
        visit.page.get_by_role("link", name="Back to my exports").click()
        expect(visit.page.get_by_role("heading", name="Log in")).to_be_visible()
