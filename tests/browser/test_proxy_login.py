"""Links into Waybill, where a proxy has logged the person in: there is no login on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit, open_visit
from tests.browser.scenes import share
from tests.support.servers.task_api import running_api
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

pytestmark = pytest.mark.own_server("the host has a login of its own")

ANN = {"Remote-User": "ann", "Remote-Groups": "sales"}


@pytest.fixture
def visit(browser: Browser, tmp_path: Path, s3_config: S3Config) -> Iterator[Visit]:
    """A window behind a proxy that names ann."""
    store, settings = S3Store(s3_config), {"proxy_tenant": "acme", "public_url": None}
    networks = "127.0.0.0/8"
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(
        url, tmp_path, store=store, trusted_proxy_networks=networks, **settings
    ) as api:
        visit = open_visit(browser, api, "acme", extra_http_headers=ANN)
        yield visit
        visit.context.close()
    store.close()
    assert visit.complaints == []


def test_a_link_opens_the_form_filled_in_and_the_export_is_that_person_s(visit: Visit) -> None:
    page = visit.page
    page.goto(visit.api.url + "/?type=orders&city=Rome")
    expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")
    page.get_by_role("button", name="Start export").click()
    expect(page.locator(".task")).to_contain_text("Queued")
    [task] = visit.api.person("acme", "ann").get("/api/export-tasks").json()["items"]
    assert (task["created_by"], task["params"]["city"]) == ("ann", "Rome")
    # The event stream is asked for with the headers, too.
    visit.api.finish(task)
    expect(page.locator(".task")).to_contain_text("Ready")


def test_a_share_link_gives_its_file(visit: Visit) -> None:
    _, path = share(visit.api, "acme", b"id\n1\n")
    visit.page.goto(visit.api.url + "/")
    with visit.page.expect_download() as download:
        visit.page.evaluate("address => { location.href = address }", visit.api.url + path)
    assert download.value.path().read_bytes() == b"id\n1\n"
