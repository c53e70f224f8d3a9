"""One task over HTTP: looking at it, and cancelling, retrying and deleting it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.servers.task_api import SHA256, TASKS, TaskApi, ask
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.tasks.model import TaskProgress


def test_a_finished_task_carries_its_proof_and_its_link(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)

    answer = client.get(f"{TASKS}/{task['id']}")

    body = answer.json()
    assert (body["status"], body["rows"], body["size_bytes"]) == ("SUCCESS", 1200, 65_536)
    assert body["completeness"]["rows_source"] == body["completeness"]["rows_written"] == 1200
    assert body["completeness"]["digest"] == body["sha256"] == SHA256
    assert body["completeness"]["snapshot_at"].endswith("Z")
    assert body["warnings"] == [{"column": "order_no", "rule": "long_number_as_text", "count": 3}]
    assert body["download_url"] == "memory:///recorded-by-the-worker"
    assert body["last_error"] is None
    assert "retry-after" not in answer.headers


def test_a_dead_link_is_not_shown(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task, link_life=timedelta(seconds=-1))

    body = client.get(f"{TASKS}/{task['id']}").json()

    assert (body["download_url"], body["url_expires_at"]) == (None, None)


def test_progress_is_shown_with_an_estimate(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    claim = api.begin(task)
    with api.engine.begin() as connection:
        began = sa.select(export_task.c.created_at).where(export_task.c.id == claim.task.id)
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == claim.task.id)
            .values(started_at=connection.execute(began).scalar_one() - timedelta(seconds=100))
        )
    api.runs.heartbeat(claim, TaskProgress(500, 2000, 4096, None))

    progress = client.get(f"{TASKS}/{task['id']}").json()["progress"]

    eta = progress.pop("eta_seconds")
    assert progress == {"rows_done": 500, "rows_total": 2000, "bytes_uploaded": 4096}
    assert 300 <= eta <= 310


def test_a_failed_task_says_why(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.fail(task)

    body = client.get(f"{TASKS}/{task['id']}").json()

    assert body["status"] == "FAILED"
    assert body["last_error"] == {
        "code": "source_unavailable",
        "message": "The source database cannot be reached.",
        "cause": "The source database is currently unavailable.",
        "remedy": "Try again later. If the problem persists, tell the owner of the database.",
        "retry_helps": True,
    }


def test_an_unchanged_task_costs_a_304_and_a_changed_one_does_not(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    path = f"{TASKS}/{task['id']}"
    tag = client.get(path).headers["etag"]

    same = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    api.begin(task)
    changed = client.get(path, headers={"If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert same.headers["retry-after"] == "2"
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(("age_seconds", "wait"), [(0, "2"), (3, "4"), (10, "8"), (900, "15")])
def test_the_wait_grows_in_the_queue_as_well_and_is_on_every_answer(
    api: TaskApi, age_seconds: int, wait: str
) -> None:
    client = api.person()
    task = ask(client)
    with write_transaction(api.engine) as connection:
        connection.execute(
            sa.update(export_task)
            .where(export_task.c.id == UUID(task["id"]))
            .values(created_at=datetime.now(UTC) - timedelta(seconds=age_seconds))
        )
    path = f"{TASKS}/{task['id']}"
    looked = client.get(path)
    unchanged = client.get(path, headers={"If-None-Match": looked.headers["etag"]})
    asked_again = client.post(TASKS, json={"type": "orders", "format": "xlsx", "params": {}})

    answers = [looked, unchanged, asked_again]
    assert looked.json()["status"] == "PENDING"
    assert [answer.status_code for answer in answers] == [200, 304, 200]
    assert [answer.headers["retry-after"] for answer in answers] == [wait] * 3


def test_an_accepted_request_says_when_to_look(api: TaskApi) -> None:
    answer = api.person().post(TASKS, json={"type": "orders", "format": "csv", "params": {}})
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "2")


def test_a_renewed_link_is_a_changed_task(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task, link_life=timedelta(seconds=100))
    path = f"{TASKS}/{task['id']}"
    before = client.get(path)
    client.get(f"{path}/download")

    after = client.get(path, headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert after.json()["download_url"] != before.json()["download_url"]


def test_r32_cancelling_twice_is_no_error_and_cancelling_an_ended_task_is(api: TaskApi) -> None:
    client = api.person()
    task, done = ask(client), ask(client, params={"at_least": 1})
    api.finish(done)

    answers = [client.post(f"{TASKS}/{task['id']}/cancel") for _ in range(2)]
    late = client.post(f"{TASKS}/{done['id']}/cancel")

    assert [(a.status_code, a.json()["status"]) for a in answers] == [(202, "CANCELLED")] * 2
    assert (late.status_code, late.json()["code"]) == (409, "task_conflict")


def test_r32_a_running_task_is_asked_to_stop_and_keeps_running_until_it_does(
    api: TaskApi,
) -> None:
    client = api.person()
    task = ask(client)
    claim = api.begin(task)

    answer = client.post(f"{TASKS}/{task['id']}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (202, "PROCESSING")
    assert api.runs.heartbeat(claim, TaskProgress(1, 2, 3, None)) == "cancelled"


def test_a_failed_task_is_retried_as_a_new_one(api: TaskApi) -> None:
    client = api.person()
    task = ask(client, params={"city": "Rome"}, filename="mine")
    api.fail(task)
    sent_before = len(api.wake_ups)

    answer = client.post(f"{TASKS}/{task['id']}/retry")
    again = client.post(f"{TASKS}/{task['id']}/retry")

    new = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{TASKS}/{new['id']}"
    assert new["id"] != task["id"]
    assert [new[name] for name in ("params", "filename", "format")] == [
        task[name] for name in ("params", "filename", "format")
    ]
    assert len(api.wake_ups) == sent_before + 2
    # A second click finds the first one's task.
    assert (again.status_code, again.json()["id"]) == (200, new["id"])
    assert again.json()["deduplicated"] is True


def test_r32_a_task_with_a_file_or_with_work_ahead_is_not_retried(api: TaskApi) -> None:
    client = api.person()
    done, live = ask(client), ask(client, params={"at_least": 1})
    api.finish(done)

    for task in (done, live):
        answer = client.post(f"{TASKS}/{task['id']}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "task_conflict")


def test_r4_a_lost_role_stops_a_retry(api: TaskApi) -> None:
    tenant = api.tenant()
    task = ask(api.person(tenant))
    api.fail(task)

    answer = api.person(tenant, roles=("support",)).post(f"{TASKS}/{task['id']}/retry")

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_r32_a_running_task_is_cancelled_before_it_is_deleted(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    path = f"{TASKS}/{task['id']}"

    early = client.delete(path)
    client.post(f"{path}/cancel")
    answer = client.delete(path)

    assert (early.status_code, early.json()["code"]) == (409, "task_conflict")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_what_people_do_is_in_the_audit_log(api: TaskApi) -> None:
    tenant = api.tenant()
    client = api.person(tenant)
    task = ask(client)
    api.finish(task)
    client.get(f"{TASKS}/{task['id']}/download")
    client.delete(f"{TASKS}/{task['id']}")

    with api.engine.connect() as connection:
        rows = connection.execute(
            sa.select(audit_log.c.actor, audit_log.c.action)
            .where(audit_log.c.tenant_id == tenant)
            .order_by(audit_log.c.id)
        ).all()
    assert [tuple(row) for row in rows if row.actor == "ana"] == [
        ("ana", "submit"),
        ("ana", "download"),
        ("ana", "delete"),
    ]


@pytest.mark.parametrize("tail", ["", "/download"])
def test_no_answer_about_a_task_is_cached_anywhere(api: TaskApi, tail: str) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)

    answer = client.get(f"{TASKS}/{task['id']}{tail}")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
