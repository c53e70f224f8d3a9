"""Waybill under a path: every address it gives, whether a proxy strips the path or passes it on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api, serve
from waybill.api.app import create_app
from waybill.api.http.forwarded import ForwardedRequest
from waybill.infra.config.errors import BadSettings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefix")


@pytest.fixture(scope="module")
def prefixed(home: Path) -> Iterator[TaskApi]:
    address = "https://exports.example/waybill/"
    with running_api(f"sqlite:///{home}/tasks.db", home, public_url=address) as api:
        yield api


ORIGIN = {"Origin": "https://exports.example"}


@pytest.mark.parametrize("path", ["/", "/waybill/", "/waybill"])
def test_the_page_is_found_and_names_addresses_under_the_prefix(
    prefixed: TaskApi, path: str
) -> None:
    client = prefixed.client()
    text = client.get(path).text

    own = re.findall(r'(?:href|src|action)="(/[^"]*)"', text)
    assert len(own) > 5
    assert [address for address in own if not address.startswith("/waybill/")] == []
    # With and without the prefix, as proxies send it.
    for address in own:
        if "/static/" in address:
            assert client.get(address).status_code == 200
            assert client.get(address.removeprefix("/waybill")).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/waybill"])
def test_redirects_locations_links_and_cookies_are_under_the_prefix(
    prefixed: TaskApi, prefix: str
) -> None:
    client = prefixed.client(headers=ORIGIN)
    token = prefixed.token(prefixed.tenant())
    entered = client.post(f"{prefix}/session", data={"token": token})
    assert (entered.status_code, entered.headers["location"]) == (303, "/waybill/")
    assert "; path=/waybill;" in entered.headers["set-cookie"].lower()

    client = prefixed.client(token, headers=ORIGIN)
    client.headers["Authorization"] = f"Bearer {token}"
    body = {"type": "orders", "format": "csv", "params": {"city": prefix}}
    asked = client.post(f"{prefix}{TASKS}", json=body)
    task = asked.json()
    assert asked.headers["location"] == f"/waybill{TASKS}/{task['id']}"
    assert client.get(asked.headers["location"]).json()["id"] == task["id"]
    prefixed.finish(task)
    link = client.post(f"{prefix}{TASKS}/{task['id']}/links", json={}).json()
    assert link["url"] == f"https://exports.example/waybill/d/{link['token']}"
    followed = client.get(f"{prefix}/d/{link['token']}")
    assert (followed.status_code, followed.headers["location"][:10]) == (302, "memory:///")
    wrong = client.put(f"{prefix}{TASKS}")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")


def test_the_cookie_of_another_installation_on_the_host_is_passed_over(prefixed: TaskApi) -> None:
    """Browsers send the cookie with the longest path first."""
    token = prefixed.token(prefixed.tenant())
    mine, other = f"waybill_session={token}", "waybill_session=of-the-whole-host"
    languages = "waybill_language=zh; waybill_language=en"
    client = prefixed.client(headers={"Cookie": f"{mine}; {languages}; {other}"})

    assert client.get(f"/waybill{TASKS}").status_code == 200
    assert client.get("/waybill/").headers["content-language"] == "zh-CN"
    assert "我的导出" in client.get("/waybill/").text


def test_the_openapi_document_names_the_prefix(prefixed: TaskApi, api: TaskApi) -> None:
    assert prefixed.client().get("/openapi.json").json()["servers"] == [{"url": "/waybill"}]
    assert "servers" not in api.client().get("/openapi.json").json()


@pytest.mark.parametrize("path", ["/api", "/d/e", "/admin/", "/static"])
def test_a_prefix_like_an_address_of_ours_is_refused(home: Path, path: str) -> None:
    address = f"https://exports.example{path}"
    with (
        pytest.raises(BadSettings, match="is an address of Waybill's own"),
        running_api(f"sqlite:///{home}/refused.db", home, public_url=address),
    ):
        pass


def test_an_application_that_mounts_it_gives_the_prefix(home: Path) -> None:
    with running_api(f"sqlite:///{home}/mounted.db", home, public_url="") as api:
        inner = create_app(api.services)
        with serve(Starlette(routes=[Mount("/exports", app=inner)])) as url:
            client = api.client(api.token(api.tenant()), base_url=url)
            page = client.get("/exports/").text
            asked = client.post(f"/exports{TASKS}", json={"type": "orders", "format": "csv"})
            task = asked.json()
            api.finish(task)
            link = client.post(f"/exports{TASKS}/{task['id']}/links", json={}).json()

            assert 'href="/exports/static/' in page
            assert client.get(re.findall(r'href="(/exports/static/[^"]+)"', page)[0]).is_success
            assert asked.headers["location"] == f"/exports{TASKS}/{task['id']}"
            assert link["url"] == f"/exports/d/{link['token']}"
            assert client.get(link["url"]).status_code == 302


def test_a_proxy_on_this_machine_may_name_the_prefix_that_it_strips(home: Path) -> None:
    with running_api(f"sqlite:///{home}/forwarded.db", home, public_url="") as api:
        client = api.client(
            api.token(api.tenant()), headers={"X-Forwarded-Prefix": "/tools/exports/"}
        )
        client.headers["Authorization"] = f"Bearer {api.token(api.tenant())}"
        asked = client.post(TASKS, json={"type": "orders", "format": "csv"})
        assert asked.headers["location"] == f"/tools/exports{TASKS}/{asked.json()['id']}"
        assert 'href="/tools/exports/static/' in client.get("/").text
        assert client.get(f"/tools/exports{TASKS}").is_success


@pytest.mark.parametrize(
    ("peer", "sent", "expected"),
    [
        ("127.0.0.1", ["/exports"], "/exports"),
        ("203.0.113.7", ["/exports"], ""),
        ("127.0.0.1", ["/exports", "/other"], ""),
        ("127.0.0.1", ["//evil.example"], ""),
        ("127.0.0.1", ["/a/../b"], ""),
        ("127.0.0.1", ['/a"onload='], ""),
        ("127.0.0.1", ["exports"], ""),
    ],
)
async def test_a_prefix_counts_from_a_trusted_proxy_if_it_is_a_plain_path(
    peer: str, sent: list[str], expected: str
) -> None:
    seen = []

    async def app(scope, _receive, _send) -> None:
        seen.append((scope["root_path"], scope["client"][0]))

    headers = [(b"x-forwarded-prefix", value.encode()) for value in sent]
    scope = {"type": "http", "root_path": "", "client": (peer, 4711), "headers": headers}
    await ForwardedRequest(app, "127.0.0.1")(scope, None, None)
    assert seen == [(expected, peer)]


def test_without_a_prefix_nothing_changes(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    assert client.get(f"{TASKS}/{task['id']}").status_code == 200
    assert client.get(f"/waybill{TASKS}/{task['id']}").status_code == 404
