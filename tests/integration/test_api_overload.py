"""F100: a database that does not keep up, seen from the requests that keep coming."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.api.http.admission import Lanes

SLOTS = Lanes.SLOTS["changes"]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("overload")
    with running_api(
        f"sqlite:///{home}/tasks.db", home, patience=timedelta(milliseconds=300)
    ) as api:
        yield api


def test_f100_beyond_what_it_can_do_the_api_refuses_with_a_time_and_goes_on_answering(
    impatient: TaskApi,
) -> None:
    person = impatient.person()
    known = ask(person)

    def submit(number: int) -> httpx2.Response:
        return person.post(
            TASKS, json={"type": "orders", "format": "csv", "params": {"city": f"c{number}"}}
        )

    with (
        closing(sqlite3.connect(impatient.engine.url.database)) as other,
        ThreadPoolExecutor(4 * SLOTS) as people,
    ):
        # Nobody else writes until it ends.
        other.execute("BEGIN IMMEDIATE")
        flood = [people.submit(submit, number) for number in range(4 * SLOTS)]
        wait_for(lambda: sum(item.done() for item in flood) == 3 * SLOTS)
        # Cheap routes have lanes of their own, or none.
        assert person.get("/healthz").status_code == 200
        assert person.get(f"{TASKS}/{known['id']}").status_code == 200
        with person.stream("GET", f"{TASKS}/events") as events:
            assert events.status_code == 200
        other.execute("COMMIT")
        answers = [item.result() for item in flood]

    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert (len(accepted), len(refused)) == (SLOTS, 3 * SLOTS)
    assert {answer.json()["code"] for answer in refused} == {"overloaded"}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 30 for answer in refused)
    # Nothing was done for them.
    assert person.get(TASKS).json()["total"] == 1 + SLOTS
    assert submit(999).status_code == 202


def test_f100_a_body_that_is_not_sent_to_its_end_holds_no_slot(impatient: TaskApi) -> None:
    address = urlsplit(impatient.url)
    token = impatient.token(impatient.tenant())
    half = (
        f"POST {TASKS} HTTP/1.1\r\nHost: waybill\r\nAuthorization: Bearer {token}\r\n"
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"type":'
    )
    with ExitStack() as held:
        for _ in range(2 * SLOTS):
            connection = socket.create_connection((address.hostname, address.port))
            held.enter_context(connection)
            connection.sendall(half.encode())
        assert ask(impatient.person())["status"] == "PENDING"
