"""Share links over HTTP: who gets to the file, how often, and what nobody learns."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.servers.shared_links import Shared
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.infra.db.tables import share_link


def test_a_link_is_made_with_a_token_that_is_shown_once(api: TaskApi) -> None:
    shared = Shared(api, max_uses=3)

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", shared.link["token"])
    assert shared.link["url"] == f"https://exports.example{shared.path}"
    [listed] = shared.owner.get(shared.links).json()["items"]
    assert "token" not in listed
    assert "url" not in listed
    expected = (3, 0, None, shared.owner.get(f"{TASKS}/{shared.task['id']}").json()["expires_at"])
    assert (
        listed["max_uses"], listed["uses"], listed["revoked_at"], listed["expires_at"]
    ) == expected  # fmt: skip


def test_without_a_public_address_a_link_is_relative(tmp_path: Path) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, public_url="") as api:
        shared = Shared(api)
        assert shared.link["url"] == shared.path


def test_a_click_is_counted_audited_and_sent_on_to_a_link_of_a_minute(api: TaskApi) -> None:
    shared = Shared(api)

    answer = shared.colleague().get(shared.path)

    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["location"].startswith("memory:///exports/")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert shared.uses == 1
    [entry] = shared.audited("follow_link")
    assert (entry["actor"], entry["detail"]) == ("bob", {"link": shared.link["id"], "use": 1})
    owners_view = shared.owner.get(f"{TASKS}/{shared.task['id']}").json()["download_url"]
    assert owners_view != answer.headers["location"]


def test_the_link_a_click_is_sent_to_lives_for_sixty_seconds(
    api: TaskApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared(api)
    lives: list[timedelta] = []
    presign = type(api.services.store).presign

    def watched(self: Any, key: str, **how: Any) -> Any:
        lives.append(how["ttl"])
        return presign(self, key, **how)

    monkeypatch.setattr(type(api.services.store), "presign", watched)
    shared.colleague().get(shared.path)

    assert lives == [timedelta(seconds=60)]


def test_of_fifty_clicks_at_once_exactly_three_are_redirects(api: TaskApi) -> None:
    shared = Shared(api, max_uses=3)
    client = shared.colleague()

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: client.get(shared.path).status_code, range(50)))

    assert sorted(statuses) == [302] * 3 + [404] * 47
    assert len(shared.audited("follow_link")) == shared.uses == 3


def test_a_revoked_link_is_dead_with_the_next_click(api: TaskApi) -> None:
    shared = Shared(api)
    client = shared.colleague()
    assert client.get(shared.path).status_code == 302

    path = f"{shared.links}/{shared.link['id']}"
    assert [shared.owner.delete(path).status_code for _ in range(2)] == [204, 204]

    assert client.get(shared.path).status_code == 404
    assert len(shared.audited("revoke_link")) == 1


def test_what_cannot_be_followed_cannot_be_told_apart(api: TaskApi) -> None:
    revoked, used, over, foreign = (Shared(api, max_uses=1) for _ in range(4))
    revoked.owner.delete(f"{revoked.links}/{revoked.link['id']}")
    used.colleague().get(used.path)
    with api.engine.begin() as connection:
        connection.execute(
            sa.update(share_link)
            .where(share_link.c.id == UUID(over.link["id"]))
            .values(expires_at=datetime.now(UTC))
        )
    stranger, unknown = api.person(), f"/d/{'x' * 43}"

    def seen(client: httpx2.Client, path: str) -> tuple[Any, ...]:
        answer = client.get(path)
        body = re.sub(r'"request_id":"\w+"', "", answer.text)
        return answer.status_code, body, {*answer.headers} - {"date", "x-request-id"}

    answers = [
        seen(stranger, unknown),
        *(seen(item.colleague(), item.path) for item in (revoked, used, over)),
        seen(stranger, foreign.path),
        seen(stranger, "/d/short"),
    ]
    assert answers == [answers[0]] * 6
    assert answers[0][0] == 404
    assert '"code":"link_not_found"' in answers[0][1]

    pages = [
        seen(item.browser(), path)
        for item, path in ((revoked, revoked.path), (used, used.path), (over, unknown))
    ]
    assert pages == [pages[0]] * 3
    assert "<h1>This link does not exist" in pages[0][1]


def test_r1_a_foreign_tenants_click_is_audited_and_leaves_the_use(api: TaskApi) -> None:
    shared = Shared(api, max_uses=1)

    assert api.person(user="mallory").get(shared.path).status_code == 404

    [entry] = wait_for(lambda: shared.audited("refused"))
    assert (entry["actor"], entry["tenant_id"]) == ("mallory", shared.tenant)
    assert entry["detail"]["route"] == "GET /d/{token}"
    assert shared.uses == 0


def test_a_colleague_without_the_role_is_told_so_and_uses_nothing_up(api: TaskApi) -> None:
    shared = Shared(api, max_uses=1)

    answer = shared.colleague(roles=("support",)).get(shared.path)
    page = shared.browser(roles=("support",)).get(shared.path)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert page.status_code == 403
    assert "You do not have the required role." in page.text
    assert shared.uses == 0


def test_r4_who_has_lost_the_right_shares_nothing_any_more(api: TaskApi) -> None:
    shared = Shared(api)
    ask(api.person(shared.tenant, roles=("sales", "finance")), type="ledger", params={"year": 2020})
    assert shared.colleague().get(shared.path).status_code == 302

    moved = api.person(shared.tenant, roles=("finance",))
    ask(moved, type="ledger", params={"year": 2021})

    assert shared.colleague().get(shared.path).status_code == 404
    assert moved.post(shared.links, json={}).status_code == 403


def test_a_deleted_task_takes_its_links_along(api: TaskApi) -> None:
    shared = Shared(api)

    assert shared.owner.delete(f"{TASKS}/{shared.task['id']}").status_code == 204

    assert shared.colleague().get(shared.path).status_code == 404


def test_an_unknown_link_of_a_task_is_a_problem(api: TaskApi) -> None:
    shared = Shared(api)

    answer = shared.owner.delete(f"{shared.links}/{uuid4()}")

    assert (answer.status_code, answer.json()["code"]) == (404, "link_not_found")
