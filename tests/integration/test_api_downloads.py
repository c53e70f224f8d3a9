"""`GET …/download`: a fresh link for whoever may have it, and never a byte of the file."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import (
    TASKS,
    TaskApi,
    ask,
    running_api,
)
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.files.object_keys import object_key
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.storage.s3 import S3Store


def download(client: httpx2.Client, task: dict[str, Any], **headers: str) -> httpx2.Response:
    return client.get(f"{TASKS}/{task['id']}/download", headers=headers)


def test_a_download_is_a_redirect_to_a_signed_link_under_the_file_s_name(api: TaskApi) -> None:
    client = api.person()
    task = ask(client, filename="导出")
    key = api.key_of(task["id"])
    api.finish(task, key=key)

    answer = download(client, task)

    assert answer.status_code == 307
    location = httpx2.URL(answer.headers["location"])
    assert location.path == f"/{key}"
    assert "%E5%AF%BC%E5%87%BA.xlsx" in location.params["response-content-disposition"]
    assert answer.content == b""


def test_fc43_a_head_leads_to_a_link_for_head_and_records_no_link(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    path = f"{TASKS}/{task['id']}/download"
    assert client.head(path).status_code == 409
    api.finish(task)

    answer = client.head(path)

    assert answer.status_code == 307
    assert httpx2.URL(answer.headers["location"]).params["method"] == "HEAD"
    assert api.client().head(path).status_code == 401
    assert api.person().head(path.replace(task["id"], str(UUID(int=0)))).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_fc43_health_and_metrics_answer_head_as_get_without_a_body(api: TaskApi, path: str) -> None:
    get, head = api.client().get(path), api.client().head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_a_program_gets_the_link_as_json(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)

    answer = download(client, task, Accept="application/json")

    body = answer.json()
    life = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert answer.status_code == 200
    assert body["url"].startswith("memory:///exports/")
    assert timedelta(seconds=840) < life <= timedelta(seconds=900)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        # FC47: axios, requests and browsers send lists, and save what they get as the file.
        ("application/json, text/plain, */*", 307),
        ("*/*", 307),
        ("application/json;q=0", 307),
        ("application/json;q=0, */*", 307),
        ("application/json, */*;q=0.1", 307),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 307),
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json, */*;q=0", 200),
    ],
)
def test_only_a_client_that_asks_for_json_and_nothing_else_gets_it(
    api: TaskApi, accept: str, status: int
) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)

    assert download(client, task, Accept=accept).status_code == status


def test_a_link_does_not_outlive_its_file(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task, retention=timedelta(seconds=60))

    body = download(client, task, Accept="application/json").json()

    assert datetime.fromisoformat(body["expires_at"]) <= datetime.now(UTC) + timedelta(seconds=60)


def test_a_download_is_recorded_for_the_owner_and_audited_without_the_link(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)

    url = download(client, task, Accept="application/json").json()["url"]

    assert client.get(f"{TASKS}/{task['id']}").json()["download_url"] == url
    with api.engine.connect() as connection:
        [row] = connection.execute(
            sa.select(audit_log.c.actor, audit_log.c.detail).where(
                audit_log.c.task_id == UUID(task["id"]), audit_log.c.action == "download"
            )
        )
    assert row.actor == "ana"
    assert row.detail == {"link_seconds": 900}


def test_a_task_without_a_file_yet_is_a_conflict(api: TaskApi) -> None:
    client = api.person()
    waiting, failed = ask(client), ask(client, params={"at_least": 1})
    api.fail(failed)

    for task in (waiting, failed):
        answer = download(client, task)
        assert (answer.status_code, answer.json()["code"]) == (409, "file_not_ready")


@pytest.mark.parametrize("swept", [False, True], ids=["not swept yet", "swept"])
def test_a_file_past_its_retention_is_gone(api: TaskApi, swept: bool) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task, retention=timedelta(seconds=-1))
    if swept:
        Maintenance(api.engine).mark_expired(UUID(task["id"]))

    answer = download(client, task)

    assert (answer.status_code, answer.json()["code"]) == (410, "file_expired")
    assert client.post(f"{TASKS}/{task['id']}/retry").status_code == (201 if swept else 409)


def test_r4_a_lost_role_stops_a_download(api: TaskApi) -> None:
    tenant = api.tenant()
    task = ask(api.person(tenant))
    api.finish(task)

    answer = download(api.person(tenant, roles=("support",)), task)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert "memory:" not in answer.text


def test_a_dataset_that_is_no_more_hands_out_nothing(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)
    with api.engine.begin() as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == UUID(task["id"]))
            .values(task_type="withdrawn")
        )

    answer = download(client, task)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_the_link_of_a_real_store_brings_the_bytes_and_their_name(
    s3_store: S3Store, tmp_path: Any
) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, store=s3_store) as api:
        client = api.person()
        task = ask(client, format="csv", filename="Rechnungen März")
        key = api.key_of(task["id"])
        with s3_store.open_upload(key, content_type="text/csv") as upload:
            upload.write(b"id\n1\n")
        api.finish(task, key=key)
        answer = client.get(f"{TASKS}/{task['id']}/download", follow_redirects=True)

    assert [step.status_code for step in answer.history] == [307]
    assert answer.content == b"id\n1\n"
    assert "filename*=UTF-8''Rechnungen%20M%C3%A4rz.csv" in answer.headers["content-disposition"]
    assert answer.headers["content-type"].startswith("text/csv")


def keys_of_others(api: TaskApi, tenant: str) -> list[str]:
    task = uuid4()
    return [
        object_key(api.services.installation, f"{tenant}-b", task, 1, "csv"),
        object_key("0123456789ab", tenant, task, 1, "csv"),
        f"exports/{task}/1.csv",
        f"{uuid4()}.csv",
    ]


def test_r54_a_row_that_names_a_file_of_others_opens_it_for_nobody(api: TaskApi) -> None:
    tenant = api.tenant()
    client = api.person(tenant)
    for number, key in enumerate(keys_of_others(api, tenant)):
        task = ask(client, params={"at_least": number})
        api.finish(task, key=key)
        address = f"{TASKS}/{task['id']}"
        for answer in (
            client.get(f"{address}/download"),
            client.post(f"{address}/links", json={}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "file_missing")
        # The file itself is not touched: it may be the right one of another task.
        assert api.services.store.head(key) is not None
        assert client.get(address).json()["status"] == "SUCCESS"


def test_r54_a_key_of_an_earlier_version_opens_the_file_of_its_tenant(api: TaskApi) -> None:
    tenant = api.tenant()
    client = api.person(tenant)
    task = ask(client)
    folder = hashlib.sha256(tenant.encode()).hexdigest()[:16]
    api.finish(task, key=f"exports/{folder}/{task['id']}/1-0a.csv")
    assert client.get(f"{TASKS}/{task['id']}/download").status_code == 307
