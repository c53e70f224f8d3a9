"""A person never sees a problem document: a browser gets a page that says what to do."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.api.session.cookie import SESSION_COOKIE

#: What Chromium sends when a person opens an address.
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
UNKNOWN = "0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10"
FOREIGN = {"Origin": "https://evil.example"}


def browser(api: TaskApi, *roles: str) -> httpx2.Client:
    token = api.token(api.tenant(), roles=roles or ("sales",))
    headers = {**BROWSER, "Origin": api.url}
    return api.client(cookies={SESSION_COOKIE: token}, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/session/end", {}, 405, "method_not_allowed"),
        ("GET", f"{TASKS}/{UNKNOWN}/download", {}, 404, "task_not_found"),
        ("GET", f"{TASKS}/x", {}, 404, "not_found"),
        ("GET", f"{TASKS}?page=x", {}, 422, "invalid_request"),
        ("GET", f"{TASKS}?access_token=x", {}, 400, "token_in_query"),
        ("GET", "/admin/exports?page=x", {}, 422, "invalid_request"),
        ("GET", "/d/unknown", {}, 404, "link_not_found"),
        ("POST", "/session", {"headers": FOREIGN}, 403, "foreign_origin"),
        ("POST", "/session/end", {"headers": FOREIGN}, 403, "foreign_origin"),
        ("POST", "/language", {"headers": FOREIGN}, 403, "foreign_origin"),
        ("POST", "/d/unknown", {"headers": FOREIGN}, 403, "foreign_origin"),
        ("POST", "/admin/dead-letters/1/replay", {"headers": FOREIGN}, 403, "foreign_origin"),
        ("POST", "/language", {"data": {"language": "x" * 70_000}}, 413, "content_too_large"),
    ],
)
def test_every_refusal_is_a_page(
    api: TaskApi, method: str, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    client = browser(api, "admin")

    answer = client.request(method, path, **more)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<code>{code}</code>" in answer.text
    assert 'href="/"' in answer.text
    # The program that asks the same gets the document.
    problem = client.request(
        method, path, **{**more, "headers": {**more.get("headers", {})} | {"Accept": "*/*"}}
    )
    assert (problem.status_code, problem.json()["code"]) == (status, code)


def test_a_page_of_a_problem_speaks_the_language_of_the_browser(api: TaskApi) -> None:
    answer = browser(api).get("/nowhere", headers={"Accept-Language": "zh-CN"})

    assert answer.headers["content-language"] == "zh-CN"
    assert "返回我的导出" in answer.text


def test_a_click_on_a_file_that_is_gone_is_answered_in_words(api: TaskApi) -> None:
    client = browser(api)
    task = ask(client)

    answer = client.get(f"{TASKS}/{task['id']}/download")

    assert (answer.status_code, "<code>file_not_ready</code>" in answer.text) == (409, True)


def test_a_click_after_the_session_ended_asks_to_log_in_and_goes_on_to_the_file(
    api: TaskApi,
) -> None:
    tenant = api.tenant()
    owner = api.person(tenant)
    task = ask(owner)
    api.finish(task)
    path = f"{TASKS}/{task['id']}/download"
    client = api.client(headers={**BROWSER, "Origin": api.url})

    refused = client.get(path)
    assert refused.status_code == 401
    assert f'name="next" value="{path}"' in refused.text
    # No other request may learn the address: it may be that of a share link.
    assert refused.headers["referrer-policy"] == "strict-origin"
    entered = client.post("/session", data={"token": api.token(tenant), "next": path})

    assert f'href="{path}"' in entered.text
    assert client.get(path).status_code == 307


@pytest.mark.parametrize(
    "after",
    [
        "//evil.example",
        "https://evil.example",
        f"{TASKS}/{UNKNOWN}",
        "/d/x",
        f"{TASKS}/../x/download",
    ],
)
def test_logging_in_continues_to_files_only(api: TaskApi, after: str) -> None:
    client = api.client(headers={**BROWSER, "Origin": api.url})

    entered = client.post("/session", data={"token": api.token(api.tenant()), "next": after})

    assert (entered.status_code, entered.headers["location"]) == (303, "/")
