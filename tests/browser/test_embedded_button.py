"""The `<waybill-export>` button in a page of another origin, under a strict policy of its own."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.browser.conftest import open_visit
from tests.support.eventually import wait_for
from tests.support.servers.task_api import TaskApi

#: As docs/embedding.md has it, without a word for inline styles or scripts.
POLICY = "default-src 'none'; script-src {api}; connect-src {api}"


def test_it_starts_follows_and_downloads_in_a_page_of_another_origin(
    browser: Browser, filed: TaskApi, tmp_path: Path
) -> None:
    api = filed
    host = httpx2.URL(api.url).copy_with(path="/")
    where = {"api": str(host).removesuffix("/")}

    async def shop(_request: Request) -> HTMLResponse:
        script = f'<script type="module" src="{api.url}/embed/waybill-export.js"></script>'
        params = json.dumps({"city": "Rome"})
        button = f"<waybill-export type=orders format=csv params='{params}'></waybill-export>"
        policy = POLICY.format(**where)
        page = f"<!doctype html><html lang=en><title>Shop</title>{script}{button}"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    with api.elsewhere(Starlette(routes=[Route("/", shop)]), tmp_path) as origin:
        visit = open_visit(browser, api)
        page = visit.page
        token = api.token(visit.tenant)
        visit.context.add_cookies([api.login(visit.tenant, "ana", ("sales",))])
        page.goto(origin)
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_role("status")).to_have_text("Exporting…")
        task = wait_for(visit.tasks)[0]
        assert (task["type"], task["params"]["city"]) == ("orders", "Rome")
        with page.expect_download() as download:
            api.finish(task)
        assert download.value.suggested_filename == task["filename"]
        expect(page.get_by_role("status")).to_have_text("Downloaded.")
        # The same by a token, as between sites, where no cookie comes along.
        visit.context.clear_cookies()
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_role("status")).to_contain_text("The export failed:")
        visit.forgive("401")
        page.evaluate(
            "token => { document.querySelector('waybill-export').token = async () => token; }",
            token,
        )
        with page.expect_download():
            page.get_by_role("button", name="Export").click()
            again = wait_for(lambda: [one for one in visit.tasks() if one["id"] != task["id"]])
            api.finish(again[0])
        assert page.url == f"{origin}/"
        assert visit.unforgiven == []
        visit.context.close()
