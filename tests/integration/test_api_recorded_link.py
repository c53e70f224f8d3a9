"""R34: the link recorded on a task is shown by `GET /{id}` alone, and only with today's rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.api_routes import routes_of
from tests.support.event_reader import listening
from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, ask
from waybill.api.app import create_app
from waybill.infra.db.tables import audit_log

RECORDED = "memory:///recorded-by-the-worker"
#: How every link of the tests' store begins, whoever signed it.
ANY_LINK = "memory://"
#: Routes whose answer never ends: the first events are read.
STREAMS = (f"{TASKS}/events", f"{TASKS}/{{task_id}}/events")


def address_of(task: dict[str, Any]) -> str:
    return f"{TASKS}/{task['id']}"


Names = dict[str, str]


def finished_and_shared(api: TaskApi, tenant: str) -> tuple[httpx2.Client, dict[str, Any], Names]:
    """Ana, a finished export of hers, and what routes call it, its share link and its schedule."""
    owner = api.person(tenant)
    request = {"type": "orders", "format": "xlsx", "params": {}}
    saved = owner.post("/api/saved-exports", json={"name": "x", "request": request}).json()
    task = owner.post(f"/api/saved-exports/{saved['id']}/run").json()
    api.finish(task)
    link = owner.post(f"{address_of(task)}/links", json={}).json()
    plan = {"saved_export_id": saved["id"], "cron": "0 8 * * 1", "timezone": "UTC"}
    return (
        owner,
        task,
        {
            "task_id": task["id"],
            "link_id": link["id"],
            "token": link["token"],
            "saved_export_id": saved["id"],
            "schedule_id": owner.post("/api/schedules", json=plan).json()["id"],
            "name": "orders",
            "param": "city",
            "kind": "dataset",
            "action": "cancel",
            "letter_id": "1",
        },
    )


def link_of(client: httpx2.Client, task: dict[str, Any]) -> str | None:
    link: str | None = client.get(address_of(task)).json()["download_url"]
    return link


def shown(api: TaskApi, task: dict[str, Any]) -> list[tuple[str, str]]:
    """Who was shown a link of this task, and when that link expires."""
    a = audit_log.c
    query = sa.select(a.actor, a.detail).where(
        a.task_id == UUID(task["id"]), a.action == "link_shown"
    )
    with api.engine.connect() as connection:
        rows = connection.execute(query.order_by(a.id))
        return [(row.actor, row.detail["link_expires_at"]) for row in rows]


def answers_of(api: TaskApi, client: httpx2.Client, names: Names) -> Iterator[tuple[str, str]]:
    """The whole answer of each route, head and body, by its name."""
    for method, path in routes_of(create_app(api.services)):
        if path in STREAMS:
            with listening(client, path.format(**names)) as stream:
                events = [stream.next() for _ in range(2 if path == STREAMS[0] else 1)]
            yield f"{method} {path}", str(events)
            continue
        address = path.format(**names)
        body: dict[str, Any] | None = {} if method == "POST" else None
        if (method, path) in (("POST", TASKS), ("POST", f"{TASKS}/estimate")):
            body = {"type": "orders", "format": "xlsx"}
        answer = client.request(method, address, json=body)
        assert answer.status_code < 500, (method, path, answer.text)
        yield f"{method} {path}", f"{answer.headers} {answer.text}"


@pytest.mark.parametrize(
    "roles", [(), ("admin",), (OPERATOR,)], ids=["no role", "admin", "operator"]
)
def test_r34_no_answer_of_any_route_shows_a_link_to_who_lost_the_role(
    api: TaskApi, roles: tuple[str, ...]
) -> None:
    tenant = api.tenant()
    owner, task, names = finished_and_shared(api, tenant)
    assert link_of(owner, task) == RECORDED
    recorded = len(shown(api, task))

    answers = dict(answers_of(api, api.person(tenant, roles=roles), names))

    assert [name for name, text in answers.items() if ANY_LINK in text] == []
    assert len(shown(api, task)) == recorded
    assert {f"GET {TASKS}", f"GET {TASKS}/{{task_id}}", "GET /admin/exports"} <= set(answers)
    assert task["id"] in answers[f"GET {TASKS}"]
    assert all(task["id"] in answers[f"GET {path}"] for path in STREAMS)


def test_r34_with_the_role_only_the_task_itself_and_the_routes_for_links_show_one(
    api: TaskApi,
) -> None:
    tenant = api.tenant()
    owner, _, names = finished_and_shared(api, tenant)

    answers = dict(answers_of(api, owner, names))

    assert {name for name, text in answers.items() if ANY_LINK in text} == {
        f"GET {TASKS}/{{task_id}}",
        f"GET {TASKS}/{{task_id}}/download",
        f"GET {TASKS}/{{task_id}}/files",
        "GET /d/{token}",
        # Signed for HEAD, and good for no byte of the file.
        f"HEAD {TASKS}/{{task_id}}/download",
        "HEAD /d/{token}",
    }


def test_r34_the_first_time_each_recorded_link_is_shown_is_audited(api: TaskApi) -> None:
    tenant = api.tenant()
    owner, former = api.person(tenant), api.person(tenant, roles=())
    task = ask(owner)
    api.finish(task, link_life=timedelta(minutes=3))

    assert [link_of(former, task), *shown(api, task)] == [None]
    body = owner.get(address_of(task)).json()
    assert (body["download_url"], link_of(owner, task)) == (RECORDED, RECORDED)
    [(actor, first)] = shown(api, task)
    owner.get(f"{address_of(task)}/download", follow_redirects=False)
    renewed = {link_of(owner, task) for _ in range(2)}

    assert (actor, first[:19]) == ("ana", body["url_expires_at"][:19])
    assert len(renewed) == 1
    assert RECORDED not in renewed
    assert [entry[0] for entry in shown(api, task)] == ["ana", "ana"]
    assert shown(api, task)[1][1] > first


def test_r34_a_lost_role_changes_the_tag_so_no_304_confirms_a_link(api: TaskApi) -> None:
    tenant = api.tenant()
    owner, former = api.person(tenant), api.person(tenant, roles=())
    task = ask(owner)
    api.finish(task)
    known = {"If-None-Match": owner.get(address_of(task)).headers["ETag"]}

    assert owner.get(address_of(task), headers=known).status_code == 304
    answer = former.get(address_of(task), headers=known)

    assert (answer.status_code, answer.json()["download_url"]) == (200, None)


def test_r34_a_follower_and_a_reused_file_are_shown_with_the_rights_of_their_own_owner(
    api: TaskApi,
) -> None:
    tenant = api.tenant()
    leader, follower = ask(api.person(tenant)), ask(api.person(tenant, "ben"))
    api.finish(leader)
    ben, former = api.person(tenant, "ben"), api.person(tenant, "ben", roles=("support",))
    assert [item["status"] for item in ben.get(TASKS).json()["items"]] == ["SUCCESS"]

    assert link_of(former, follower) is None
    assert shown(api, follower) == []
    assert link_of(ben, follower) == RECORDED
    assert [actor for actor, _ in shown(api, follower)] == ["ben"]
    assert shown(api, leader) == []
