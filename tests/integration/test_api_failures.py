"""When something breaks: one shape for every error, an id to report, and no secret inside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.servers.postgres import PostgresServer
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from tests.support.small_disk import small_disk
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.storage.errors import StorageError, StorageRejected, StorageUnavailable
from waybill.storage.memory import MemoryStore
from waybill.storage.store import LinkMethod, SignedLink

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
CANARY = "SELECT * FROM t -- postgresql://u:hunter2@db/x bucket-7 AKIACANARY"


class BrokenStore(MemoryStore):
    """A store that fails as it is told."""

    error: Exception = RuntimeError(CANARY)

    def presign(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        ttl: timedelta,
        method: LinkMethod = "GET",
    ) -> SignedLink:
        raise self.error


@pytest.fixture
def broken_store() -> BrokenStore:
    return BrokenStore()


@pytest.fixture
def failing_api(tmp_path: Path, broken_store: BrokenStore) -> Iterator[TaskApi]:
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_api(url, tmp_path, store=broken_store) as api:
        yield api


def finished_task(api: TaskApi) -> tuple[httpx2.Client, str]:
    client = api.person()
    task = ask(client)
    api.finish(task)
    return client, f"{TASKS}/{task['id']}/download"


def test_r26_an_unforeseen_error_shows_an_id_and_nothing_else(
    failing_api: TaskApi, caplog: pytest.LogCaptureFixture
) -> None:
    client, path = finished_task(failing_api)

    token = client.headers["Authorization"].removeprefix("Bearer ")
    page = failing_api.client(cookies={SESSION_COOKIE: token}).get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert page.headers["x-request-id"] in page.text
    assert CANARY not in page.text
    caplog.clear()

    answer = client.get(path)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert problem["request_id"] in problem["detail"]
    for secret in ("SELECT", "hunter2", "AKIACANARY", "bucket-7", "Traceback", "presign"):
        assert secret not in answer.text
    [record] = [item for item in caplog.records if item.getMessage() == "request failed"]
    assert record.request_id == problem["request_id"]
    assert record.exc_info is not None


@pytest.mark.parametrize("error", [StorageUnavailable(), StorageRejected(), StorageError()])
def test_r26_a_store_that_fails_is_a_503_worth_retrying(
    failing_api: TaskApi, broken_store: BrokenStore, error: StorageError
) -> None:
    broken_store.error = error
    client, path = finished_task(failing_api)

    answer = client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (503, error.code)
    assert answer.headers["retry-after"] == "5"


def break_sqlite(path: Path) -> None:
    """Put a folder where the database was."""
    for file in path.parent.glob("tasks.db*"):
        file.unlink()
    path.mkdir()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_r26_a_database_that_is_away_is_a_503_without_its_address(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if database == "sqlite":
        url = f"sqlite:///{tmp_path}/tasks.db"
    else:
        url = request.getfixturevalue("postgres_url")
    with running_api(url, tmp_path) as api:
        client = api.person()
        ask(client)
        admin = {SESSION_COOKIE: api.token(api.tenant(), roles=("admin",))}
        api.engine.dispose()
        if database == "sqlite":
            break_sqlite(tmp_path / "tasks.db")
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            name = urlsplit(url).path.removeprefix("/")
            with server.connect() as connection:
                connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_away"')
        try:
            answers, figures = [client.get(TASKS)], client.get("/metrics")
            answers.append(client.post(TASKS, json={"type": "orders", "format": "csv"}))
            page = api.client(cookies=admin).get("/admin", headers=BROWSER)
        finally:
            if database == "postgresql":
                with server.connect() as connection:
                    connection.execute(f'ALTER DATABASE "{name}_away" RENAME TO "{name}"')

    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    # A scrape goes on, or each series would end at the moment it is wanted.
    assert (figures.status_code, "\nwaybill_database_up 0.0\n" in figures.text) == (200, True)
    assert "waybill_tasks" not in figures.text
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        for secret in ("SELECT", "INSERT", "only@tests", "only%40tests", "127.0.0.1", "tasks.db"):
            assert secret not in answer.text


def test_f131_a_full_disk_refuses_each_request_in_one_line_and_takes_them_again_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order = {"type": "orders", "format": "csv"}
    with (
        small_disk(tmp_path, 8 << 20) as disk,
        running_api(f"sqlite:///{disk.folder}/tasks.db", tmp_path) as api,
    ):
        client = api.person()
        ask(client)
        disk.fill()
        caplog.clear()
        answers = [client.post(TASKS, json=order | {"filename": f"{n}"}) for n in range(40)]
        listed = client.get(TASKS)
        disk.empty()
        after = client.post(TASKS, json=order | {"filename": "after"})

    refused = [answer for answer in answers if answer.status_code != 202]
    assert len(refused) >= 20
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
        (503, "database_unavailable")
    }
    lines = [record for record in caplog.records if record.getMessage() == "database unavailable"]
    assert [record.__dict__["request_id"] for record in lines] == [
        answer.headers["x-request-id"] for answer in refused
    ]
    assert {record.__dict__["why"] for record in lines} == {"The disk of the task tables is full."}
    assert [record for record in caplog.records if record.exc_info] == []
    # What is there can be read, and nothing that was accepted is lost.
    assert (listed.status_code, after.status_code) == (200, 202)
    assert listed.json()["total"] == 1 + len(answers) - len(refused)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/export-tasks/", 404, "not_found"),
        ("GET", "//api/export-tasks", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/static/0/task_centre.js", 404, "not_found"),
        ("PUT", TASKS, 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
    ],
)
def test_an_address_that_is_none_is_a_problem_like_the_others(
    api: TaskApi, method: str, path: str, status: int, code: str
) -> None:
    answer = api.client().request(method, f"{api.url}{path}")

    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "code", "detail", "request_id"}
    assert problem["type"] == f"urn:waybill:problem:{code}"
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/", "/nothing", TASKS, "/healthz", "/metrics", "/openapi.json"])
def test_every_answer_carries_the_security_headers(api: TaskApi, path: str) -> None:
    answer = api.client().get(path)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 16


def test_a_refusal_is_logged_with_who_was_refused_and_no_token(
    api: TaskApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tenant = api.tenant()
    token = api.token(tenant)

    answer = api.client(token).get(f"{TASKS}/0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10")

    [record] = [item for item in caplog.records if item.getMessage() == "request refused"]
    assert (record.code, record.user, record.tenant) == ("task_not_found", "ana", tenant)
    assert record.request_id == answer.headers["x-request-id"]
    assert token not in caplog.text
