"""What browsers, robots and programs meet at a share link, and what no record holds."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.servers.shared_links import BROWSER, Shared
from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.infra.db.tables import audit_log


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}],
)
def test_looking_ahead_is_no_use(api: TaskApi, headers: dict[str, str]) -> None:
    shared = Shared(api)
    client = shared.colleague()

    ahead = client.get(shared.path, headers=headers)
    head = client.head(shared.path)

    assert (ahead.status_code, ahead.json()["code"]) == (503, "prefetch_refused")
    assert head.status_code == 302
    assert "method=HEAD" in head.headers["location"]
    assert shared.uses == 0


def test_a_preview_without_a_session_gets_a_page_to_log_in_and_is_no_use(api: TaskApi) -> None:
    shared = Shared(api)
    robot = api.client()

    page = robot.get(shared.path, headers=BROWSER)
    program = robot.get(shared.path)
    unknown = robot.get(f"/d/{'x' * 43}", headers=BROWSER)

    assert page.status_code == 401
    assert page.headers["referrer-policy"] == "strict-origin"
    assert page.text.replace(shared.link["token"], "x" * 43) == unknown.text
    assert (program.status_code, program.json()["code"]) == (401, "unauthenticated")
    assert shared.uses == 0


def test_a_browser_logs_in_and_comes_back_to_the_link(api: TaskApi) -> None:
    shared = Shared(api)
    browser = api.client(headers=BROWSER)
    page = browser.get(shared.path)
    [after] = re.findall(r'name="next" value="([^"]+)"', page.text)
    form = {"token": "wrong", "next": after}

    refused = browser.post("/session", data=form, headers={"Origin": api.url})
    form["token"] = api.token(shared.tenant, "bob")
    let_in = browser.post("/session", data=form, headers={"Origin": api.url})

    assert f'name="next" value="{after}"' in refused.text
    assert let_in.status_code == 200
    assert f'content="0; url={shared.path}"' in let_in.text
    assert browser.get(shared.path).status_code == 302
    assert shared.uses == 1


@pytest.mark.parametrize(
    "after",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/d/../../evil",
        f"/d/{'x' * 43}\n",
        f"https://evil.example/d/{'x' * 43}",
        f"/d/{'x' * 43}@evil.example",
        "/d/javascript:alert(1)",
    ],
)
def test_logging_in_leads_nowhere_but_to_a_link_of_our_own(api: TaskApi, after: str) -> None:
    form = {"token": api.token(api.tenant()), "next": after}

    answer = api.client().post("/session", data=form, headers={"Origin": api.url})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "evil" not in answer.text


def test_r21_no_page_and_no_redirect_of_a_link_names_its_address_to_others(api: TaskApi) -> None:
    shared = Shared(api)
    policies = {
        shared.browser().get(path, headers=headers).headers["referrer-policy"]
        for path in (shared.path, f"/d/{'x' * 43}")
        for headers in ({}, {"Accept": "application/json"})
    }
    download = shared.owner.get(f"{TASKS}/{shared.task['id']}/download")

    # `strict-origin` names this host, which pages with a form cannot do without.
    assert policies == {"no-referrer", "strict-origin"}
    assert download.headers["referrer-policy"] == "no-referrer"
    assert download.headers["cache-control"] == "no-store"


def test_an_expired_file_offers_programs_to_run_it_again(api: TaskApi) -> None:
    shared = Shared(api, max_uses=1)
    shared.end_file()
    bob = shared.colleague()

    gone = bob.get(shared.path)
    again = bob.post(shared.path)

    assert (gone.status_code, gone.json()["code"]) == (410, "file_expired")
    assert "POST to the same address" in gone.json()["detail"]
    assert again.status_code == 202
    task = again.json()
    assert (task["type"], task["params"]["city"]) == ("orders", "Lisbon")
    assert (task["created_by"], task["status"]) == ("bob", "PENDING")
    assert again.headers["location"] == f"{TASKS}/{task['id']}"
    assert shared.uses == 0


def test_an_expired_file_offers_people_a_button(api: TaskApi) -> None:
    shared = Shared(api)
    shared.end_file()
    browser = shared.browser()

    page = browser.get(shared.path, headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    pressed = browser.post(shared.path, headers={"Origin": api.url})
    foreign = browser.post(shared.path, headers={"Origin": "https://evil.example"})

    assert page.status_code == 410
    assert "文件已过保留期并被删除。" in page.text
    assert f'<form method="post" action="{shared.path}">' in page.text
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/")
    [task] = shared.colleague().get(TASKS).json()["items"]
    assert (task["params"]["city"], task["created_by"]) == ("Lisbon", "bob")
    assert foreign.status_code == 403


def test_running_again_needs_the_right_a_good_link_and_no_file(api: TaskApi) -> None:
    shared = Shared(api)

    there = shared.colleague().post(shared.path)
    shared.end_file()
    no_role = shared.colleague(roles=()).post(shared.path)
    foreign = api.person().post(shared.path)

    codes = [(item.status_code, item.json()["code"]) for item in (there, no_role, foreign)]
    assert codes == [
        (409, "task_conflict"), (403, "permission_denied"), (404, "link_not_found")
    ]  # fmt: skip


def test_without_a_file_there_is_nothing_to_share(api: TaskApi) -> None:
    owner = api.person()
    task = ask(owner)

    answer = owner.post(f"{TASKS}/{task['id']}/links", json={})

    assert (answer.status_code, answer.json()["code"]) == (409, "file_not_ready")


@pytest.mark.parametrize(
    "wanted",
    [
        {"max_uses": 0},
        {"max_uses": True},
        {"max_uses": 2**70},
        {"max_uses": "3"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00Z"},
        {"expires_at": "2026-01-01T00:00:00"},
        {"token": "chosen-by-me"},
        {"uses": -5},
    ],
)
def test_r5_a_link_that_cannot_be_is_refused(api: TaskApi, wanted: dict[str, Any]) -> None:
    shared = Shared(api)

    answer = shared.owner.post(shared.links, json=wanted)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert len(shared.owner.get(shared.links).json()["items"]) == 1


def test_r29_the_address_of_a_link_does_not_come_from_the_host_header(api: TaskApi) -> None:
    shared = Shared(api)
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}

    answer = shared.owner.post(shared.links, json={}, headers=headers)

    assert answer.json()["url"].startswith("https://exports.example/d/")
    assert "evil.example" not in answer.text


def test_the_token_is_in_no_log_no_audit_row_and_no_error(
    api: TaskApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    shared = Shared(api)
    token = shared.link["token"]
    bob, stranger = shared.colleague(), api.person()
    caplog.clear()
    # The test's own clients; and a logger without handlers, which pytest listens to as well.
    # What `waybill serve` writes is looked at in tests/e2e/test_share_links.py.
    for logger in ("httpx2", "httpcore.http11", "httpcore.connection", "uvicorn.access"):
        monkeypatch.setattr(logging.getLogger(logger), "disabled", True)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    answers = [bob.get(shared.path), stranger.get(shared.path), bob.post(shared.path)]
    answers += [shared.colleague(roles=()).get(shared.path), bob.get(f"//d/{token}/")]
    shared.end_file()
    answers += [bob.get(shared.path), api.client().get(shared.path)]
    with monkeypatch.context() as patch:
        patch.setattr(type(api.services.links), "find", broken)
        answers.append(bob.get(shared.path))

    assert answers[-1].status_code == 500
    assert all(token not in answer.text for answer in answers)
    assert token not in caplog.text
    assert token not in repr([vars(record) for record in caplog.records])
    assert "/d/…" in repr([vars(record) for record in caplog.records])
    with api.engine.connect() as connection:
        assert token not in repr(connection.execute(sa.select(audit_log)).all())
