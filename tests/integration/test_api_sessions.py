"""Sessions of the page: what ends them for every copy of their token, and their cookie."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from tests.support.event_reader import listening
from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api, serve
from waybill.api.app import create_app
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.infra.sessions.revocations import Revocations, subject_of
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.queries.scope import ALL_TENANTS

PUBLIC = "https://exports.example"
ON_TLS = {"Host": "exports.example", "Origin": PUBLIC}


def log_in(api: TaskApi, token: str, **headers: str) -> httpx2.Response:
    origin = {"Origin": api.url} | headers
    return api.client().post("/session", data={"token": token}, headers=origin)


def status(api: TaskApi, token: str, **more: object) -> int:
    return api.client(token, **more).get(TASKS).status_code


def test_r51_logging_out_ends_every_copy_of_the_cookie(api: TaskApi) -> None:
    tenant = api.tenant()
    token, other = api.token(tenant), api.token(tenant)
    browser = api.client(cookies={SESSION_COOKIE: token})

    answer = browser.post("/session/end", headers={"Origin": api.url})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert status(api, token) == 401
    # Another way to write the same signature: its last digit holds bits that say nothing.
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = digits[digits.index(token[-1]) ^ 1]
    assert status(api, token[:-1] + last) == 401
    assert api.client(cookies={SESSION_COOKIE: token}).get(TASKS).status_code == 401
    assert 'name="token"' in api.client(cookies={SESSION_COOKIE: token}).get("/").text
    assert status(api, other) == 200
    [entry] = api.services.admin_queries.audit(ALL_TENANTS, tenant=tenant, action="session_end")
    assert (entry.actor, entry.address) == ("ana", "127.0.0.1")


def test_r51_a_user_logs_out_everywhere(api: TaskApi) -> None:
    tenant = api.tenant()
    token, other, programs = (api.token(tenant) for _ in range(3))
    colleague, namesake = api.token(tenant, "bob"), api.token(api.tenant())
    browser = api.client(cookies={SESSION_COOKIE: token})

    answer = browser.post("/session/end-all", headers={"Origin": api.url})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert f"{SESSION_COOKIE}=" in answer.headers["set-cookie"]
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert [status(api, each) for each in (token, other, programs)] == [401] * 3
    assert [status(api, each) for each in (colleague, namesake)] == [200] * 2
    with serve(create_app(api.services)) as elsewhere:
        assert status(api, other, base_url=elsewhere) == 401
    audit = api.services.admin_queries.audit
    [entry] = audit(ALL_TENANTS, tenant=tenant, action="sessions_revoked")
    assert (entry.actor, entry.actor_kind, entry.address) == ("ana", "user", "127.0.0.1")
    assert entry.detail == {"kind": "user", "user": "ana"}
    # `iat` is in whole seconds.
    wait_for(lambda: status(api, api.token(tenant)) == 200)
    bearer = api.token(tenant)
    assert api.client(bearer).post("/session/end-all").status_code == 204
    assert status(api, bearer) == 401


def test_r51_nobody_else_logs_a_user_out_everywhere(api: TaskApi) -> None:
    token = api.token(api.tenant())
    browser = api.client(cookies={SESSION_COOKIE: token})
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = browser.post("/session/end-all", headers=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    assert api.client().post("/session/end-all").status_code == 401
    assert browser.get("/session/end-all").status_code == 405
    assert status(api, token) == 200


def test_r51_while_the_database_is_away_nobody_is_told_to_be_logged_out_everywhere(
    tmp_path: Path,
) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        token = api.token("acme")
        # The revocations have been read before they are away.
        assert status(api, token) == 200
        with api.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE revocation RENAME TO away")
        answer = api.client(token).post("/session/end-all")
        assert answer.status_code == 503
        assert status(api, token) == 200


def test_r51_a_session_ends_in_the_other_processes_within_their_next_read(api: TaskApi) -> None:
    token = api.token(api.tenant())
    with serve(create_app(api.services, denylist_period=timedelta(milliseconds=50))) as url:
        elsewhere = api.client(token, base_url=url)
        assert elsewhere.get(TASKS).status_code == 200

        headers = {"Origin": api.url}
        api.client(cookies={SESSION_COOKIE: token}).post("/session/end", headers=headers)

        wait_for(lambda: elsewhere.get(TASKS).status_code == 401)


def test_r51_a_revoked_token_ends_its_open_streams(api: TaskApi) -> None:
    tenant = api.tenant()
    token = api.token(tenant)
    client, colleague = api.client(token), api.person(tenant, "bob")
    with (
        listening(client, f"{TASKS}/events") as stream,
        listening(colleague, f"{TASKS}/events") as other,
    ):
        stream.next(), other.next()
        task = ask(client)
        stream.until(task["id"], "PENDING")
        headers = {"Origin": api.url}
        api.client(cookies={SESSION_COOKIE: token}).post("/session/end", headers=headers)
        api.fail(task)
        mine = ask(colleague)

        assert stream.next_or_end() is None
        assert other.until(mine["id"], "PENDING")


@pytest.mark.parametrize("revoked", ["sales", "everybody"])
def test_r51_a_user_whose_tokens_were_revoked_needs_a_new_one(tmp_path: Path, revoked: str) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        old = api.token("acme")
        names = {"user": "ana", "tenant": "acme", "everybody": False}
        if revoked == "everybody":
            names = {"user": None, "tenant": None, "everybody": True}
        revoke(api.engine, **names)
        with serve(create_app(api.services)) as url:
            assert api.client(old, base_url=url).get(TASKS).status_code == 401
            # `iat` is in whole seconds.
            wait_for(
                lambda: api.client(api.token("acme"), base_url=url).get(TASKS).status_code == 200
            )


def revoke(engine: Engine, **names: object) -> None:
    subject = subject_of(token_id=None, **names)
    Revocations(engine).revoke(subject, Actor.command_line("root"))


@pytest.fixture(params=["", "/waybill"])
def prefix(request: pytest.FixtureRequest) -> str:
    """A whole host, and a path of one that others share."""
    return request.param


@pytest.fixture
def tls(tmp_path: Path, prefix: str) -> Iterator[TaskApi]:
    """An API whose public address is HTTPS."""
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(url, tmp_path, public_url=PUBLIC + prefix) as api:
        yield api


def test_r52_over_tls_the_cookie_cannot_be_set_by_a_page_that_is_not(
    tls: TaskApi, prefix: str
) -> None:
    token = tls.token(tls.tenant())
    name = "__Secure-waybill_session" if prefix else "__Host-waybill_session"

    cookie = log_in(tls, token, **ON_TLS).headers["set-cookie"]

    flags = {part.strip().lower() for part in cookie.split(";")}
    assert cookie.startswith(f"{name}={token};")
    assert {"secure", "httponly", "samesite=lax", f"path={prefix or '/'}"} <= flags
    assert not [flag for flag in flags if flag.startswith("domain")]
    assert status_of(tls, f"{name}={token}", prefix) == 200
    # What a page over plain HTTP or a neighbouring host could have set:
    assert status_of(tls, f"{SESSION_COOKIE}={token}", prefix) == 401
    other = "__Host-" if prefix else "__Secure-"
    assert status_of(tls, f"{other}{SESSION_COOKIE}={token}", prefix) == 401


def status_of(api: TaskApi, cookie: str, prefix: str) -> int:
    headers = {"Host": "exports.example", "Cookie": cookie}
    return api.client().get(prefix + TASKS, headers=headers).status_code


def test_r52_without_tls_the_cookie_has_its_plain_name(tls: TaskApi, prefix: str) -> None:
    token = tls.token(tls.tenant())

    cookie = log_in(tls, token).headers["set-cookie"]

    assert cookie.startswith(f"{SESSION_COOKIE}={token};")
    assert "secure" not in cookie.lower().split("; ")
    assert tls.client(cookies={SESSION_COOKIE: token}).get(prefix + TASKS).status_code == 200


def test_r52_logging_out_deletes_the_cookie_by_each_name(tls: TaskApi, prefix: str) -> None:
    name = "__Secure-waybill_session" if prefix else "__Host-waybill_session"
    headers = ON_TLS | {"Cookie": f"{name}={tls.token(tls.tenant())}"}

    answer = tls.client().post(f"{prefix}/session/end", headers=headers)

    deleted = answer.headers.get_list("set-cookie")
    assert [line.partition("=")[0] for line in deleted] == [SESSION_COOKIE, name]
    assert all("Max-Age=0" in line and f"Path={prefix or '/'}" in line for line in deleted)
    assert ["Secure" in line for line in deleted] == [False, True]
    # On a host that others share, their storage is left alone.
    stored = '"cache"' if prefix else '"cache", "storage"'
    assert answer.headers["clear-site-data"] == stored


def test_r52_browsers_are_kept_on_tls(tls: TaskApi, prefix: str) -> None:
    year = "max-age=31536000"
    expected = year if prefix else f"{year}; includeSubDomains"

    for path in ("/", TASKS, "/healthz", "/nothing"):
        answer = tls.client().get(prefix + path)
        assert answer.headers["strict-transport-security"] == expected, path


def test_r52_a_public_address_without_tls_promises_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(url, tmp_path, public_url="http://127.0.0.1:8000") as api:
        assert "strict-transport-security" not in api.client().get("/").headers
