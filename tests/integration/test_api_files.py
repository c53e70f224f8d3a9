"""`GET /files`: of a set as it grows, by whom, behind share links, and of one file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.file_sets import begin_set, finish_set, write_file
from tests.support.servers.task_api import SHA256, TASKS, TaskApi, ask
from tests.support.task_store import progress_of
from waybill.infra.db.tables import audit_log

NAMES = ["part-00001.csv", "part-00002.csv", "part-00003.csv"]


def files_of(client, task) -> Any:
    return client.get(f"{TASKS}/{task['id']}/files")


def audited(api: TaskApi, task: dict[str, Any]) -> list[tuple[int, bool]]:
    query = sa.select(audit_log.c.detail).where(
        audit_log.c.task_id == UUID(task["id"]), audit_log.c.action == "download"
    )
    with api.engine.connect() as connection:
        details = connection.execute(query.order_by(audit_log.c.id)).scalars()
        return [(detail["files"], detail["partial"]) for detail in details]


@pytest.fixture
def running(api: TaskApi):
    """A person, their export as a set with one file written, and what its worker has of it."""
    tenant = api.tenant()
    task = ask(api.person(tenant))
    claim = api.begin(task)
    file = begin_set(api.engine, claim, api.key_of(task["id"]))
    write_file(api.engine, api.services.store, claim)
    return tenant, task, claim, file


def finish(api: TaskApi, claim, file) -> None:
    store = api.services.store
    for _ in range(2):
        write_file(api.engine, store, claim)
    finish_set(api.engine, store, claim, file)


def test_files_of_a_set_are_listed_while_the_rest_is_written(api: TaskApi, running) -> None:
    tenant, task, claim, file = running
    owner = api.person(tenant)
    api.runs.heartbeat(claim, replace(progress_of(10, 30), shards=3, shards_done=1, files=3))
    shown = owner.get(f"{TASKS}/{task['id']}").json()
    listed = files_of(owner, task).json()

    assert shown["files"] == {"count": 3, "ready": 1}
    facts = [(item["name"], item["rows"], item["size_bytes"]) for item in listed["items"]]
    assert facts == [(NAMES[0], 10, 100), (NAMES[1], 10, None), (NAMES[2], 10, None)]
    assert [item["url"] is None for item in listed["items"]] == [False, True, True]
    assert (listed["partial"], listed["ready"], listed["manifest_url"]) == (True, 1, None)
    assert NAMES[0] in listed["items"][0]["url"]

    finish(api, claim, file)
    listed = files_of(owner, task).json()
    assert (listed["partial"], listed["ready"], listed["count"]) == (False, 3, 3)
    assert "manifest.json" in listed["manifest_url"]
    assert all(item["ready"] and item["sha256"] for item in listed["items"])
    assert owner.get(f"{TASKS}/{task['id']}").json()["files"] == {"count": 3, "ready": 3}
    assert audited(api, task) == [(1, True), (3, False)]


def test_files_are_for_who_may_export_the_dataset_at_that_moment(api: TaskApi, running) -> None:
    tenant, task, claim, file = running
    former, stranger = api.person(tenant, roles=()), api.person(tenant, user="bob")
    assert files_of(former, task).status_code == 403
    assert files_of(stranger, task).status_code == 404
    finish(api, claim, file)
    assert files_of(former, task).status_code == 403
    assert audited(api, task) == []


def test_a_file_of_one_piece_is_a_list_of_one(api: TaskApi) -> None:
    owner = api.person()
    task = ask(owner)
    assert files_of(owner, task).json()["code"] == "file_not_ready"
    api.finish(task)
    listed = files_of(owner, task).json()
    [item] = listed["items"]
    assert (item["name"], item["sha256"], item["ready"]) == (task["filename"], SHA256, True)
    assert (listed["partial"], listed["manifest_url"]) == (False, None)


def test_a_share_link_of_a_set_leads_to_its_files(api: TaskApi, running) -> None:
    tenant, task, claim, file = running
    finish(api, claim, file)
    link = api.person(tenant).post(f"{TASKS}/{task['id']}/links", json={}).json()
    path = f"/d/{link['token']}"

    listed = api.person(tenant, user="bob").get(path).json()
    assert [item["name"] for item in listed["items"]] == NAMES
    page = api.page(api.token(tenant, "bob")).get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert all(name in page.text for name in (*NAMES, "manifest.json"))
    assert api.person(tenant, user="eve", roles=()).get(path).status_code == 403
    [shown] = api.person(tenant).get(f"{TASKS}/{task['id']}/links").json()["items"]
    assert shown["uses"] == 2
