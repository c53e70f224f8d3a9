"""F90: files that something else deletes or replaces in the store, as the API meets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.servers.s3_gate import GateRequest, Refusal, S3Gate, refuse
from tests.support.servers.task_api import TASKS, TaskApi, running_api
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.infra.db.tables import audit_log
from waybill.storage.s3 import S3Store

Person = httpx2.Client
Body = dict[str, Any]


def registry() -> Registry:
    def build(params: object, user: object) -> sa.Select[Any]:
        return sa.select(sa.table("orders", sa.column("id")))

    fresh = Dataset("fresh", build, roles={"sales"}, reuse_for=timedelta(hours=1))
    return Registry({"orders": Dataset("orders", build, roles={"sales"}), "fresh": fresh})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("missing")
    with running_api(f"sqlite:///{home}/tasks.db", home, registry=registry()) as running:
        yield running


def submitted(person: Person, name: str = "orders", **more: Any) -> Body:
    answer = person.post(TASKS, json={"type": name, "format": "csv", **more})
    assert answer.status_code in (200, 202), answer.text
    task: Body = answer.json()
    return task


def finished(api: TaskApi, person: Person, name: str = "orders") -> tuple[Body, str]:
    """A task with a file, and the key of that."""
    task = submitted(person, name)
    key = api.key_of(task["id"])
    api.finish(task, key=key)
    return task, key


def seen(person: Person, task: Body) -> Body:
    body: Body = person.get(f"{TASKS}/{task['id']}").json()
    return body


def deleted(api: TaskApi, key: str) -> None:
    api.services.store.delete(key)


def replaced(api: TaskApi, key: str) -> None:
    with api.services.store.open_upload(key, content_type="text/csv") as upload:
        upload.write(b"of another size")


def audited(api: TaskApi, task: Body) -> list[str]:
    a = audit_log.c
    query = sa.select(a.action).where(a.task_id == UUID(task["id"])).order_by(a.id)
    with api.engine.connect() as connection:
        return list(connection.execute(query).scalars())


def is_given_no_link(api: TaskApi, person: Person, task: Body) -> None:
    """No route gives a link, each says why, and the export can be run again."""
    now = seen(person, task)
    assert (now["status"], now["last_error"]["code"]) == ("EXPIRED", "file_missing")
    assert (now["download_url"], now["url_expires_at"]) == (None, None)
    address = f"{TASKS}/{task['id']}"
    for answer in (person.get(f"{address}/download"), person.post(f"{address}/links", json={})):
        assert (answer.status_code, answer.json()["code"]) == (410, "file_missing")
    assert person.head(f"{address}/download").status_code == 410
    [listed] = [item for item in person.get(TASKS).json()["items"] if item["id"] == task["id"]]
    assert (listed["status"], listed["last_error"]["code"]) == ("EXPIRED", "file_missing")
    assert audited(api, task).count("file_missing") == 1
    again = person.post(f"{address}/retry")
    assert (again.status_code, again.json()["status"]) == (201, "PENDING")


@pytest.mark.parametrize("lose", [deleted, replaced])
@pytest.mark.parametrize(
    "first", ["GET /download", "HEAD /download", "GET ", "POST /links", "POST /retry"]
)
def test_f90_a_file_that_is_gone_is_noticed_before_a_link_is_given(
    api: TaskApi, lose: Callable[[TaskApi, str], None], first: str
) -> None:
    person = api.person()
    task, key = finished(api, person)
    lose(api, key)
    method, _, path = first.partition(" ")
    answer = person.request(
        method, f"{TASKS}/{task['id']}{path}", **({"json": {}} if path == "/links" else {})
    )
    assert answer.status_code == {"GET ": 200, "POST /retry": 201}.get(first, 410)
    if first == "POST /retry":
        person.post(f"{TASKS}/{answer.json()['id']}/cancel")
    is_given_no_link(api, person, task)


def test_f90_a_share_link_leads_to_no_missing_file_and_offers_another_run(api: TaskApi) -> None:
    tenant = api.tenant()
    ana, bob = api.person(tenant), api.person(tenant, "bob")
    task, key = finished(api, ana)
    token = ana.post(f"{TASKS}/{task['id']}/links", json={}).json()["token"]
    deleted(api, key)
    assert bob.head(f"/d/{token}").status_code == 410
    refused = bob.get(f"/d/{token}")
    assert (refused.status_code, refused.json()["code"]) == (410, "file_missing")
    browser = api.client(cookies={"waybill_session": api.token(tenant, "bob")})
    page = browser.get(f"/d/{token}", headers={"Accept": "text/html"})
    assert "file_missing" in page.text
    assert f'action="/d/{token}"' in page.text
    assert bob.post(f"/d/{token}").status_code == 202
    assert seen(ana, task)["status"] == "EXPIRED"


@pytest.mark.parametrize("lose", [deleted, replaced])
def test_f90_a_file_that_is_gone_is_reused_by_nobody(
    api: TaskApi, lose: Callable[[TaskApi, str], None]
) -> None:
    tenant = api.tenant()
    ana, bob, cid = (api.person(tenant, name) for name in ("ana", "bob", "cid"))
    first, key = finished(api, ana, "fresh")
    given = submitted(bob, "fresh")
    assert given["status"] == "SUCCESS"
    lose(api, key)

    new = submitted(cid, "fresh")
    own = submitted(ana, "fresh")

    assert (new["status"], own["status"]) == ("PENDING", "PENDING")
    assert own["id"] != first["id"]
    # Both who have it lose it at once.
    assert [seen(who, task)["status"] for who, task in ((ana, first), (bob, given))] == [
        "EXPIRED", "EXPIRED"
    ]  # fmt: skip
    api.finish(new)
    assert seen(ana, own)["status"] == "SUCCESS"


def test_f90_a_retry_reuses_no_missing_file(api: TaskApi) -> None:
    tenant = api.tenant()
    ana, bob = api.person(tenant), api.person(tenant, "bob")
    failed = submitted(bob, "fresh")
    bob.post(f"{TASKS}/{failed['id']}/cancel")
    _, key = finished(api, ana, "fresh")
    deleted(api, key)
    assert bob.post(f"{TASKS}/{failed['id']}/retry").json()["status"] == "PENDING"


AWAY = Refusal(503, "ServiceUnavailable")
NO_BUCKET = Refusal(404, "NoSuchBucket")


@pytest.mark.parametrize("refusal", [AWAY, NO_BUCKET], ids=["store", "bucket"])
def test_f90_a_store_or_bucket_that_is_away_says_nothing_about_a_file(
    gate: S3Gate, tmp_path: Path, refusal: Refusal
) -> None:
    store = S3Store(gate.config(region="us-east-1"))
    with running_api(
        f"sqlite:///{tmp_path}/t.db", tmp_path, registry=registry(), store=store
    ) as api:
        person = api.person()
        task, _ = finished(api, person, "fresh")
        heads: list[GateRequest] = []

        def is_head(request: GateRequest) -> bool:
            heads.extend([request] if request.method == "HEAD" else [])
            return request.method == "HEAD"

        gate.rules.append(refuse(refusal, is_head))
        assert person.get(f"{TASKS}/{task['id']}/download").status_code == 307
        asked = len(heads)
        assert seen(person, task)["status"] == "SUCCESS"
        assert submitted(person, "fresh")["id"] == task["id"]
        # Nobody waits again for a store that has just not answered.
        assert len(heads) == asked
        assert "file_missing" not in audited(api, task)
    store.close()
