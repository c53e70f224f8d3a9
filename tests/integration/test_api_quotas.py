"""Quotas over HTTP: 429 and 503 with `Retry-After`, and what is answered all the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from psycopg import sql

from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from tests.support.token_buckets import pass_time

CAP = 5


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def small_api(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[TaskApi]:
    """An API where five exports of a user are many, and eight of a tenant."""
    home = tmp_path_factory.mktemp("quotas")
    settings = {
        "max_queued_per_user": CAP,
        "max_queued_per_tenant": 8,
        "max_daily_rows_per_user": 1000,
    }
    if request.param == "sqlite":
        with running_api(f"sqlite:///{home}/tasks.db", home, **settings) as api:
            yield api
        return
    server, name = request.getfixturevalue("postgres_server"), f"quotas_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with running_api(server.url(name), home, **settings) as api:
        yield api
    with server.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def body(number: int) -> dict[str, object]:
    return {"type": "orders", "format": "csv", "params": {"city": f"city {number}"}}


def test_r14_a_hundred_requests_of_one_user_at_once_never_pass_the_limit(small_api) -> None:
    token = small_api.token(small_api.tenant())
    clients = [small_api.client(token) for _ in range(10)]
    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(lambda n: clients[n % 10].post(TASKS, json=body(n)), range(100)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert sum(answer.status_code == 202 for answer in answers) == CAP
    assert len(refused) == 100 - CAP
    for answer in refused:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "too_many_exports"
    assert clients[0].get(TASKS).json()["total"] == CAP


def test_r14_a_tenant_that_fills_the_queue_leaves_room_for_others(small_api) -> None:
    tenant = small_api.tenant()
    for user, count in (("ana", 5), ("ben", 3)):
        client = small_api.person(tenant, user)
        assert [client.post(TASKS, json=body(n)).status_code for n in range(count)] == [202] * count
    full = small_api.person(tenant, "cem").post(TASKS, json=body(0))
    assert (full.status_code, full.json()["code"]) == (429, "too_many_exports")
    assert small_api.person().post(TASKS, json=body(0)).status_code == 202


def test_at_the_limit_a_twin_is_answered_and_a_place_that_gets_free_is_given(small_api) -> None:
    client = small_api.person()
    tasks = [ask(client, **body(n)) for n in range(CAP)]
    assert client.post(TASKS, json=body(0)).status_code == 200
    client.post(f"{TASKS}/{tasks[0]['id']}/cancel")
    assert client.post(f"{TASKS}/{tasks[0]['id']}/retry").status_code == 201
    client.post(f"{TASKS}/{tasks[1]['id']}/cancel")
    assert client.post(TASKS, json=body(9)).status_code == 202
    assert client.post(f"{TASKS}/{tasks[1]['id']}/retry").status_code == 429


def test_rows_of_a_day_are_refused_until_midnight(small_api) -> None:
    client = small_api.person()
    small_api.finish(ask(client), rows=1200)
    answer = client.post(TASKS, json=body(1))
    assert (answer.status_code, answer.json()["code"]) == (429, "daily_rows_exceeded")
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400


def test_f9_a_long_outbox_is_503_with_a_time_to_come_back(tmp_path) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, max_backlog=2) as api:
        client = api.person()
        assert [client.post(TASKS, json=body(n)).status_code for n in range(2)] == [202, 202]
        answer = client.post(TASKS, json=body(2))
        assert (answer.status_code, answer.json()["code"]) == (503, "backlog_full")
        assert int(answer.headers["Retry-After"]) == 60


def test_r40_a_client_that_waits_as_long_as_it_is_told_gets_in(tmp_path) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, max_submits_per_minute=2) as api:
        client = api.person()
        tasks = [ask(client, **body(n)) for n in range(2)]
        for task in tasks:
            client.post(f"{TASKS}/{task['id']}/cancel")
        for request in (
            lambda: client.post(TASKS, json=body(2)),
            lambda: client.post(f"{TASKS}/{tasks[0]['id']}/retry"),
        ):
            refused = request()
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_submits")
            seconds = int(refused.headers["Retry-After"])
            assert 0 < seconds <= 30
            pass_time(api.engine, timedelta(seconds=seconds))
            assert request().status_code in (201, 202)
        assert client.get(TASKS).json()["total"] == 4
