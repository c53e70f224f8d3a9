"""The page in an application that mounts it: under its path, with its login, all in one process."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, Request
from playwright.sync_api import Browser, expect

import waybill
from tests.browser.conftest import visiting
from tests.support.servers.task_api import SECRET, sample_registry, serve
from waybill.storage.config import S3Config

pytestmark = pytest.mark.own_server("is a host application itself, in this process")


async def user(request: Request) -> waybill.Principal:
    name = request.cookies.get("shop_session")
    if name is None:
        raise HTTPException(307, headers={"Location": "/login"})
    return waybill.Principal(name, "acme", frozenset({"sales"}))


@pytest.mark.parametrize("way", ["mount", "include_router"])
def test_an_export_from_the_form_to_the_file_under_the_path_of_the_host(
    browser: Browser, tmp_path: Path, s3_config: S3Config, way: str
) -> None:
    exports = waybill.create_app(
        get_principal=user,
        registry=sample_registry(),
        home=tmp_path,
        jwt_secret=SECRET,
        s3_endpoint_url=s3_config.endpoint_url,
        s3_access_key_id=s3_config.access_key_id,
        s3_secret_access_key=s3_config.secret_access_key,
        s3_region=s3_config.region,
        s3_bucket="mounted-page",
    )
    app = FastAPI(lifespan=exports.lifespan)

    # Chromium asks for the second one by itself.
    @app.get("/login")
    @app.get("/favicon.ico")
    async def login() -> str:
        return "the host's own login"

    if way == "mount":
        app.mount("/exports", exports)
    else:
        app.include_router(exports.router, prefix="/exports")
    with serve(app) as url, visiting(browser) as (page, complaints):
        page.goto(f"{url}/exports/")
        assert page.url == f"{url}/login"
        page.context.add_cookies([{"name": "shop_session", "value": "ann", "url": url}])
        page.goto(f"{url}/exports/?type=orders&format=csv&city=Rome")
        expect(page.locator("[data-param=city]:visible")).to_have_value("Rome")
        expect(page.get_by_role("button", name="Log out")).to_have_count(0)
        page.get_by_role("button", name="Start export").click()
        expect(page.locator(".task")).to_contain_text("Ready")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        assert download.value.suggested_filename.endswith(".csv")
        page.get_by_role("button", name="中文").click()
        expect(page.get_by_role("heading", name="我的导出")).to_be_visible()
        assert page.url.startswith(f"{url}/exports/")
        assert complaints == []
