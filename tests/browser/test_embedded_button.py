"""The `<waybill-export>` button in a page of another origin, under a strict policy of its own."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.browser.conftest import open_visit
from tests.support.eventually import wait_for
from tests.support.servers.task_api import running_api, serve
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

#: As docs/embedding.md has it, without a word for inline styles or scripts.
POLICY = "default-src 'none'; script-src {api}; connect-src {api}"


def test_it_starts_follows_and_downloads_in_a_page_of_another_origin(
    browser: Browser, tmp_path: Path, s3_config: S3Config
) -> None:
    where = {"api": ""}

    async def shop(_request: Request) -> HTMLResponse:
        script = f'<script type="module" src="{where["api"]}/embed/waybill-export.js"></script>'
        params = json.dumps({"city": "Rome"})
        button = f"<waybill-export type=orders format=csv params='{params}'></waybill-export>"
        policy = POLICY.format(**where)
        page = f"<!doctype html><html lang=en><title>Shop</title>{script}{button}"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    store = S3Store(s3_config)
    with (
        serve(Starlette(routes=[Route("/", shop)])) as origin,
        running_api(
            f"sqlite:///{tmp_path}/tasks.db", tmp_path, store=store, embed_origins=origin
        ) as api,
    ):
        where["api"] = api.url
        visit = open_visit(browser, api)
        page = visit.page
        token = api.token(visit.tenant)
        visit.context.add_cookies([api.cookie(token)])
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
    store.close()
