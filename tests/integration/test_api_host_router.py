"""Waybill as a router of a host, and under a host that knows its own path: every way of a path."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request

import waybill
from tests.support.servers.mounted import Host, mounted_waybill
from tests.support.servers.task_api import NO_TLS, TASKS, serve
from waybill.storage.config import S3Config


def current_user(request: Request) -> waybill.Principal | None:
    user = request.cookies.get("host_session")
    return waybill.Principal(user, "acme", frozenset({"sales"})) if user else None


async def licensed(request: Request) -> None:
    """A dependency of the host's router, which has no part in who calls."""
    if "x-unlicensed" in request.headers:
        raise HTTPException(402, "buy it")


class ToldItsPath:
    """A host that was told its own path, and gets requests without it."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/shop"}
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, s3_config: S3Config) -> FastAPI:
    included, mounted = (
        mounted_waybill(tmp_path_factory.mktemp(name), s3_config, current_user)
        for name in ("included", "under")
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for one in (included, mounted):
                await stack.enter_async_context(one.lifespan(app))
            yield

    app = FastAPI(lifespan=lifespan)
    tools = APIRouter(prefix="/tools", dependencies=[Depends(licensed)])
    tools.include_router(included.router, prefix="/exports")
    app.include_router(tools)
    app.mount("/mounted", mounted)

    @app.get("/tools/other")
    def of_the_host() -> str:
        return "the host's own"

    return app


@pytest.fixture(scope="module", params=["", "/shop"], ids=["at the root", "told its path"])
def host(request: pytest.FixtureRequest, app: FastAPI) -> Iterator[Host]:
    served = ToldItsPath(app) if request.param else app
    with serve(served) as url, ExitStack() as clients:
        yield Host(url + request.param, clients)


def sent(client: httpx2.Client, method: str, path: str, **more: object) -> httpx2.Response:
    """As a proxy sends it that has taken the host's path away."""
    root = client.base_url.path.rstrip("/")
    address = client.base_url.copy_with(path="/").join(path.removeprefix(root))
    return client.request(method, address, **more)


@pytest.mark.parametrize("place", ["/tools/exports", "/mounted"])
def test_an_export_is_made_and_downloaded_under_the_path(host: Host, place: str) -> None:
    client, user = host.client("ann"), f"u{abs(hash((host.url, place)))}"
    place = client.base_url.path.rstrip("/") + place
    body = {"type": "orders", "format": "csv", "filename": user}
    asked = sent(client, "POST", place + TASKS, json=body)
    assert asked.status_code == 202, asked.text
    task = asked.json()
    assert asked.headers["location"] == f"{place}{TASKS}/{task['id']}"
    address = client.base_url.copy_with(path="/").join(
        f"{place}{TASKS}/{task['id']}/events".removeprefix(client.base_url.path.rstrip("/"))
    )
    with client.stream("GET", address, timeout=60) as stream:
        assert '"SUCCESS"' in "".join(stream.iter_text())
    link = sent(client, "POST", f"{place}{TASKS}/{task['id']}/links", json={}).json()
    assert link["url"] == f"{place}/d/{link['token']}"
    followed = sent(client, "GET", link["url"])
    assert followed.status_code == 302
    assert httpx2.get(followed.headers["location"], verify=NO_TLS).is_success
    assert sent(client, "GET", f"{place}{TASKS}/{task['id']}?x=1").json()["id"] == task["id"]


@pytest.mark.parametrize("place", ["/tools/exports", "/mounted"])
def test_the_page_and_what_it_loads_are_under_the_path(host: Host, place: str) -> None:
    client = host.client("ann")
    place = client.base_url.path.rstrip("/") + place
    page = sent(client, "GET", f"{place}/")
    own = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)

    assert (page.status_code, len(own) > 5) == (200, True)
    assert [address for address in own if not address.startswith(f"{place}/")] == []
    for address in own:
        if "/static/" in address:
            assert sent(client, "GET", address).is_success
    assert sent(client, "GET", place).status_code in (200, 307)
    assert sent(client, "GET", f"{place}/nothing").status_code == 404
    assert sent(host.client(), "GET", place + TASKS).status_code == 401


def test_dependencies_of_the_host_s_router_are_asked_before_each_request(host: Host) -> None:
    for client in (
        host.client("ann", **{"X-Unlicensed": "1"}),
        host.client(**{"X-Unlicensed": "1"}),
    ):
        place = client.base_url.path.rstrip("/") + "/tools/exports"
        for path in ("/", TASKS, "/healthz", "/static/nothing"):
            assert sent(client, "GET", place + path).status_code == 402
    client = host.client("ann")
    assert sent(client, "GET", "/tools/other").json() == "the host's own"
    paths = client.request("GET", client.base_url.copy_with(path="/openapi.json")).json()["paths"]
    assert set(paths) == {"/tools/other"}
