"""Pages of other origins: those that are named may start an export and get it, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.api.embed.cors import SCRIPT_PATH
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load

SHOP = "https://shop.example"
OTHERS = [
    "https://evil.example",
    "https://shop.example.evil.example",
    "null",
    "http://shop.example",
]
BODY = {"type": "orders", "format": "csv"}


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("embed")
    with running_api(f"sqlite:///{home}/tasks.db", home, embed_origins=f"{SHOP}, ") as api:
        yield api


def person(api: TaskApi, origin: str) -> httpx2.Client:
    """A browser with a session, in which a page of `origin` sends requests."""
    token = api.token(api.tenant())
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-site"}
    return api.client(headers=headers, cookies={SESSION_COOKIE: token})


def preflight(client: httpx2.Client, path: str, method: str) -> httpx2.Response:
    asked = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type, prefer, idempotency-key",
    }
    return client.options(path, headers=asked)


def test_a_named_origin_starts_an_export_and_reads_it(embedding: TaskApi) -> None:
    client = person(embedding, SHOP)
    allowed = preflight(client, TASKS, "POST")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SHOP)
    assert allowed.headers["access-control-allow-credentials"] == "true"
    started = client.post(TASKS, json=BODY)
    task = started.json()
    embedding.finish(task)
    link = client.get(f"{TASKS}/{task['id']}/download", headers={"Accept": "application/json"})
    for answer in (started, client.get(f"{TASKS}/{task['id']}"), link, client.get(SCRIPT_PATH)):
        assert answer.is_success
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "origin" in answer.headers["vary"].lower()


def test_r62_it_does_nothing_else(embedding: TaskApi) -> None:
    client = person(embedding, SHOP)
    task = ask(client, **BODY)
    other = {
        ("POST", f"{TASKS}/{task['id']}/cancel"),
        ("DELETE", f"{TASKS}/{task['id']}"),
        ("POST", f"{TASKS}/{task['id']}/links"),
        ("POST", f"{TASKS}/estimate"),
        ("POST", "/session/end"),
    }
    for method, path in other:
        refused = client.request(method, path, json={} if method == "POST" else None)
        assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin"), path
        assert preflight(client, path, method).status_code in (400, 405)
    for path in (TASKS, "/api/notices", "/api/datasets", "/", "/api/admin/queues"):
        assert "access-control-allow-origin" not in client.get(path).headers


@pytest.mark.parametrize("origin", OTHERS)
def test_r62_other_origins_get_nothing(embedding: TaskApi, origin: str) -> None:
    client = person(embedding, origin)
    refused = client.post(TASKS, json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")
    for answer in (refused, preflight(client, TASKS, "POST"), client.get(SCRIPT_PATH)):
        assert "access-control-allow-origin" not in answer.headers


def test_r62_without_the_setting_no_origin_is_let_in(api: TaskApi) -> None:
    client = person(api, SHOP)
    assert client.post(TASKS, json=BODY).status_code == 403
    assert "access-control-allow-origin" not in preflight(client, TASKS, "POST").headers


@pytest.mark.parametrize(
    "value",
    ["*", "https://*.example", "null", "shop.example", f"{SHOP}/path", "http://shop.example"],
)
def test_r62_what_is_no_origin_is_refused(value: str) -> None:
    with pytest.raises(BadSettings, match="WAYBILL_EMBED_ORIGINS"):
        load(embed_origins=value)
