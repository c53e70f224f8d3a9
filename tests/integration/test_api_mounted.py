"""Waybill mounted in another application: its login, its path, its start and its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse

import waybill
from tests.support.servers.mounted import Host, mounted_waybill
from tests.support.servers.task_api import NO_TLS, SECRET, TASKS, serve
from waybill.api.session.development_tokens import mint
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config


class NotLoggedIn(Exception):
    """What the host raises, and handles itself."""


def session_of(request: Request) -> str | None:
    return request.cookies.get("host_session")


async def current_user(
    request: Request,
    session: Annotated[str | None, Depends(session_of)],
    x_banned: Annotated[str | None, Header()] = None,
) -> waybill.Principal | None:
    """The host's own dependency, with a dependency and a header of its own."""
    assert request.app.title == "the host"
    if x_banned:
        raise HTTPException(403, "banned")
    if session == "broken":
        raise NotLoggedIn
    if session == "nobody":
        raise HTTPException(307, headers={"Location": "/login"})
    return waybill.Principal(session, "acme", frozenset({"sales"})) if session else None


def sync_user(session: Annotated[str | None, Depends(session_of)]) -> waybill.Principal:
    if session is None:
        raise HTTPException(401)
    return waybill.Principal(session, "other", frozenset({"sales"}))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, s3_config: S3Config) -> Iterator[Host]:
    """A host with routes and middleware of its own, and Waybill in it twice."""
    mounts = {}
    for name, login in (("exports", current_user), ("archive", sync_user)):
        home = tmp_path_factory.mktemp(name)
        mounts[name] = mounted_waybill(home, s3_config, login)

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        async with AsyncExitStack() as stack:
            for mounted in mounts.values():
                await stack.enter_async_context(mounted.lifespan(app))
            yield

    app = FastAPI(title="the host", lifespan=lifespan)

    @app.middleware("http")
    async def mark(request: Request, call_next):
        answer = await call_next(request)
        answer.headers["X-Host"] = "yes"
        return answer

    @app.exception_handler(NotLoggedIn)
    async def say_so(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"host": "not logged in"}, 418)

    @app.get("/api/export-tasks")
    def of_the_host() -> str:
        return "the host's own"

    for name, mounted in mounts.items():
        app.mount(f"/{name}", mounted)
    with serve(app) as url, ExitStack() as clients:
        yield Host(url, clients)


def test_an_export_is_made_and_downloaded_under_the_path(host: Host) -> None:
    client = host.client("ann")
    asked = client.post(f"/exports{TASKS}", json={"type": "orders", "format": "csv"})
    assert (asked.status_code, asked.headers["x-host"]) == (202, "yes")
    task = asked.json()
    assert task["created_by"] == "ann"
    assert asked.headers["location"] == f"/exports{TASKS}/{task['id']}"
    with client.stream("GET", f"/exports{TASKS}/{task['id']}/events", timeout=60) as stream:
        events = "".join(stream.iter_text())
    assert '"SUCCESS"' in events

    link = client.post(f"/exports{TASKS}/{task['id']}/links", json={}).json()
    assert link["url"] == f"/exports/d/{link['token']}"
    followed = client.get(link["url"])
    assert followed.status_code == 302
    assert httpx2.get(followed.headers["location"], verify=NO_TLS).is_success
    assert client.get("/api/export-tasks").json() == "the host's own"


def test_the_page_is_the_callers_and_has_no_log_out_of_its_own(host: Host) -> None:
    page = host.client("ann").get("/exports/")
    own = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)

    assert "ann" in page.text
    assert [address for address in own if not address.startswith("/exports/")] == []
    assert "/exports/session/end" not in page.text
    [script] = [address for address in own if address.endswith("/task_centre.js")]
    assert host.client().get(script).is_success


def test_r61_what_the_hosts_login_says_holds(host: Host) -> None:
    assert host.client().get(f"/exports{TASKS}").status_code == 401
    # Nor is a token of ours a way in for somebody whom the host refuses.
    token = mint(load(jwt_secret=SECRET), "ann", "acme", frozenset({"sales"}))
    ours = {"Authorization": f"Bearer {token}"}
    assert host.client(**ours).get(f"/exports{TASKS}").status_code == 200
    banned = host.client("ann", **{"X-Banned": "1"}, **ours)
    assert banned.get(f"/exports{TASKS}").status_code == 401
    broken = host.client("broken").get(f"/exports{TASKS}")
    assert (broken.status_code, broken.json()) == (418, {"host": "not logged in"})
    browser = host.client("nobody", Accept="text/html")
    assert browser.get("/exports/").headers["location"] == "/login"
    assert host.client("nobody").get(f"/exports{TASKS}").status_code == 401
    assert host.client().get("/exports/healthz").status_code == 200
    refused = host.client(Accept="text/html").get("/archive/")
    assert (refused.status_code, "Access token" in refused.text) == (401, False)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_r61_a_page_of_another_site_uses_no_login_of_the_host(
    host: Host, headers: dict[str, str]
) -> None:
    body = {"type": "orders", "format": "csv", "params": {"city": "Rome"}}
    refused = host.client("ann", **headers).post(f"/exports{TASKS}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")


def test_r61_two_of_them_in_one_process_know_nothing_of_each_other(host: Host) -> None:
    body = {"type": "orders", "format": "csv", "params": {"city": "Bern"}}
    mine = host.client("ann").post(f"/archive{TASKS}", json=body)
    assert mine.headers["location"].startswith("/archive/")
    assert host.client("ann").get(f"/exports{TASKS}/{mine.json()['id']}").status_code == 404


async def test_without_its_lifespan_it_says_what_to_pass(tmp_path: Path) -> None:
    mounted = waybill.create_app(home=tmp_path, jwt_secret=SECRET)
    with pytest.raises(RuntimeError, match=r"lifespan=exports\.lifespan"):
        await mounted({"type": "http"}, None, None)
    with pytest.raises(BadSettings, match="WAYBILL_LINK_TTL"):
        waybill.create_app(home=tmp_path, jwt_secret=SECRET, link_ttl=0)


async def test_the_example_of_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "docs/embedding.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    [code] = [block for block in blocks if "waybill.create_app" in block]
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path))
    names: dict[str, Any] = {"__name__": "shop"}
    exec(code, names)
    assert "/exports" in {getattr(route, "path", None) for route in names["app"].routes}
