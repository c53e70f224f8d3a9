"""Who gets in: bearer tokens, the page's session, and what other sites may make it do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.api.session.development_tokens import mint

PROTECTED = [
    ("GET", TASKS),
    ("POST", TASKS),
    ("GET", "/api/datasets"),
    ("GET", f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10"),
    ("GET", f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10/download"),
    ("POST", f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10/cancel"),
    ("POST", f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10/retry"),
    ("POST", f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10/run-again"),
    ("GET", f"{TASKS}/queue"),
    ("DELETE", f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("header", [None, "Bearer", "Bearer x y", "Bearer x", "Basic YTpi", "x"])
def test_r16_without_a_token_nothing_is_answered(
    api: TaskApi, method: str, path: str, header: str | None
) -> None:
    headers = {"Authorization": header} if header is not None else {}
    body = {"type": "orders", "format": "csv"} if path == TASKS and method == "POST" else None

    answer = api.client().request(method, path, headers=headers, json=body)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_r16_two_tokens_are_none(api: TaskApi) -> None:
    first, second = api.token(api.tenant()), api.token(api.tenant())
    headers = [("Authorization", f"Bearer {token}") for token in (first, second)]

    assert api.client().get(TASKS, headers=headers).status_code == 401
    assert api.client(first, cookies={SESSION_COOKIE: second}).get(TASKS).status_code == 401


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "JWT", "Authorization"])
def test_r18_a_token_in_an_address_is_refused_even_beside_a_good_one(
    api: TaskApi, name: str
) -> None:
    token = api.token(api.tenant())

    for client in (api.client(), api.client(token)):
        answer = client.get(TASKS, params={name: token})
        assert (answer.status_code, answer.json()["code"]) == (400, "token_in_query")
        assert token not in answer.text


def log_in(api: TaskApi, token: str, **headers: str) -> tuple[httpx2.Client, httpx2.Response]:
    browser = api.client()
    answer = browser.post("/session", data={"token": token}, headers={"Origin": api.url} | headers)
    return browser, answer


def test_logging_in_puts_the_token_where_no_script_finds_it(api: TaskApi) -> None:
    _, answer = log_in(api, api.token(api.tenant()))

    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "httponly" in cookie
    # Lax, so that a share link clicked in a mail finds the session.
    assert "samesite=lax" in cookie
    assert "max-age=" in cookie
    assert "secure" not in cookie


def test_a_session_over_tls_stays_on_tls(api: TaskApi) -> None:
    _, answer = log_in(
        api, api.token(api.tenant()), Origin="https://tasks.example", Host="tasks.example"
    )

    assert answer.status_code == 303
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("flag", ["HttpOnly", "SameSite=Lax", "Secure"])
def test_the_cookies_flags_are_those_of_the_security_page(api: TaskApi, flag: str) -> None:
    _, answer = log_in(
        api, api.token(api.tenant()), Origin="https://tasks.example", Host="tasks.example"
    )
    page = (Path(__file__).parents[2] / "docs/security.md").read_text()
    (paragraph,) = [
        part for part in page.split("\n- ") if part.startswith("**The session cookie**")
    ]

    assert flag.lower() in answer.headers["set-cookie"].lower().split("; ")
    assert f"`{flag}`" in paragraph


def test_a_session_reads_and_writes_from_its_own_page(api: TaskApi) -> None:
    browser, _ = log_in(api, api.token(api.tenant()))
    browser.headers["Origin"] = api.url

    task = ask(browser)

    assert browser.get(f"{TASKS}/{task['id']}").status_code == 200
    assert "My exports" in browser.get("/").text


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://127.0.0.1.evil.example",
        "{url}.evil.example",
        "{url}@evil.example",
    ],
)
def test_r19_another_site_changes_nothing_with_the_cookie(api: TaskApi, origin: str | None) -> None:
    browser, _ = log_in(api, api.token(api.tenant()))
    browser.headers["Origin"] = api.url
    task = ask(browser)
    del browser.headers["Origin"]
    headers = {"Origin": origin.format(url=api.url)} if origin is not None else {}

    for method, path in [
        ("POST", TASKS),
        ("POST", f"{TASKS}/{task['id']}/cancel"),
        ("POST", f"{TASKS}/{task['id']}/retry"),
        ("POST", f"{TASKS}/{task['id']}/run-again"),
        ("DELETE", f"{TASKS}/{task['id']}"),
        ("POST", "/session/end"),
        ("POST", "/session"),
    ]:
        body = {"type": "orders", "format": "csv"} if path == TASKS else None
        answer = browser.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin"), path
        assert "access-control-allow-origin" not in answer.headers
    assert browser.get(f"{TASKS}/{task['id']}").json()["status"] == "PENDING"


def test_r19_a_preflight_of_another_site_gets_no_permission(api: TaskApi) -> None:
    answer = api.client().options(
        TASKS,
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_r19_a_bearer_token_needs_no_origin(api: TaskApi) -> None:
    client = api.person()
    client.headers["Origin"] = "https://dashboard.example"

    assert ask(client)["status"] == "PENDING"


@pytest.mark.parametrize(
    "headers",
    [
        # FC51: nginx with `proxy_pass` alone, and with `Host $host` on port 8443.
        {"Host": "127.0.0.1:8000", "Origin": "https://exports.example"},
        {"Host": "exports.example", "Origin": "https://exports.example"},
        {"Host": "x:443", "Origin": "https://x"},
        {"Host": "X:80", "Origin": "http://x"},
        {"Host": "backend", "Origin": "https://x:8443", "Sec-Fetch-Site": "same-origin"},
        {"Host": "backend", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_proxy_that_rewrites_the_host_keeps_nobody_out(
    api: TaskApi, headers: dict[str, str]
) -> None:
    token = api.token(api.tenant())
    # By the name it has over HTTPS, too: a browser sends the one that fits.
    browser = api.client(cookies={SESSION_COOKIE: token, f"__Host-{SESSION_COOKIE}": token})

    entered = browser.post("/session", data={"token": token}, headers=headers)
    assert entered.status_code == 303
    secure = headers.get("Origin", "https:").startswith("https:")
    assert ("secure" in entered.headers["set-cookie"].lower()) is secure
    referrer = {"Referer": f"{headers.get('Origin', 'https://x')}/?q=a"}
    chosen = browser.post("/language", data={"language": "zh"}, headers=headers | referrer)
    assert chosen.status_code == 303
    assert chosen.headers["location"] == ("/?q=a" if "Origin" in headers else "/")
    browser.headers.update(headers)
    task = ask(browser)
    api.finish(task)
    link = browser.post(f"{TASKS}/{task['id']}/links", json={})
    assert link.status_code == 201
    assert browser.delete(f"{TASKS}/{task['id']}/links/{link.json()['id']}").status_code == 204
    assert browser.delete(f"{TASKS}/{task['id']}").status_code == 204
    assert browser.post("/session/end").status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_r19_the_browser_s_word_about_another_site_counts(api: TaskApi, site: str) -> None:
    headers = {"Origin": api.url, "Sec-Fetch-Site": site}

    answer = api.client().post("/language", data={"language": "zh"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "expired", "too long"])
def test_a_token_that_is_not_valid_does_not_log_in(api: TaskApi, token: str) -> None:
    token = {
        "expired": mint(api.services.settings, "ana", "acme", frozenset(), timedelta(minutes=-5)),
        "too long": "x" * 5000,
    }.get(token, token)

    browser, answer = log_in(api, token)

    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers
    assert "My exports" not in browser.get("/").text


def test_logging_out_ends_the_session_in_this_browser(api: TaskApi) -> None:
    browser, _ = log_in(api, api.token(api.tenant()))

    answer = browser.post("/session/end", headers={"Origin": api.url})

    assert answer.status_code == 303
    assert SESSION_COOKIE not in browser.cookies
    assert browser.get(TASKS).status_code == 401


def test_an_expired_session_meets_the_log_in_form(api: TaskApi) -> None:
    token = mint(api.services.settings, "ana", "acme", frozenset(), timedelta(minutes=-5))

    answer = api.client(cookies={SESSION_COOKIE: token}).get("/")

    assert answer.status_code == 200
    assert 'name="token"' in answer.text
