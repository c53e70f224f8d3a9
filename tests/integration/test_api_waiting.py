"""`Prefer: wait`: small exports answer with their link, and waiting costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import httpx2
import pytest
from starlette.datastructures import Headers

from tests.support.eventually import wait_for
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.api.events.hub import MAX_STREAMS_PER_USER, EventHub
from waybill.api.events.stream import Stream
from waybill.api.http.preferences import LONGEST_WAIT, preferred_wait
from waybill.exporter.datasets.principal import Principal
from waybill.infra.tasks.queries.changes import Poll, State, StateQuery


class _NoChanges:
    def poll(self, _last, _watched, queries) -> Poll:
        return Poll(datetime.now(UTC), [], [State([], whole=True) for _ in queries])


BODY = {"type": "orders", "format": "csv"}
LONG = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def waited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("waited")
    with running_api(f"sqlite:///{home}/tasks.db", home) as api:
        yield api


def submit(client: httpx2.Client, city: str, **headers: str) -> httpx2.Response:
    return client.post(TASKS, json={**BODY, "params": {"city": city}}, headers=headers)


def listed(client: httpx2.Client) -> list:
    return client.get(TASKS).json()["items"]


def test_an_export_that_ends_in_time_is_answered_with_its_link(waited: TaskApi) -> None:
    client = waited.person()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(submit, client, "Rome", **LONG)
        [task] = wait_for(lambda: listed(client))
        waited.finish(task)
        ended = answer.result()

    body = ended.json()
    assert (ended.status_code, body["status"], body["deduplicated"]) == (201, "SUCCESS", False)
    assert body["download_url"] == "memory:///recorded-by-the-worker"
    assert ended.headers["preference-applied"] == f"wait={LONGEST_WAIT.seconds}"
    assert ended.headers["location"] == f"{TASKS}/{task['id']}"
    assert ended.headers["etag"] == client.get(f"{TASKS}/{task['id']}").headers["etag"]
    assert "retry-after" not in ended.headers


def test_one_that_does_not_goes_on(waited: TaskApi) -> None:
    answer = submit(waited.person(), "Bern", Prefer="respond-async, wait=1")
    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    assert (answer.headers["preference-applied"], answer.headers["retry-after"]) == ("wait=1", "2")
    assert answer.json()["download_url"] is None


def test_the_same_export_is_waited_for_together(waited: TaskApi) -> None:
    client = waited.person()
    task = ask(client, format="csv", params={"city": "Oslo"})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(submit, client, "Oslo", **LONG)
        wait_for(lambda: waited.open_streams() == 1)
        waited.finish(task)
        ended = answer.result()
    assert (ended.status_code, ended.json()["status"]) == (200, "SUCCESS")
    assert ended.json()["deduplicated"] is True


def test_who_waits_takes_no_turn_from_others(waited: TaskApi) -> None:
    """More wait than there are threads, lanes and connections; those too many are not refused."""
    most = MAX_STREAMS_PER_USER
    client, other = waited.person(), waited.person()
    with ThreadPoolExecutor(most + 2) as pool:
        answers = [pool.submit(submit, client, f"city {n}", **LONG) for n in range(most + 2)]
        wait_for(lambda: waited.open_streams() == most)
        assert submit(other, "Rome").status_code == 202
        at_once = [answer for answer in answers if answer.done()]
        for task in client.get(TASKS, params={"page_size": 100}).json()["items"]:
            waited.finish(task)
        codes = sorted(answer.result().status_code for answer in answers)
    assert codes == [201] * most + [202, 202]
    assert len(at_once) <= 2
    wait_for(lambda: waited.open_streams() == 0)


def test_a_client_that_leaves_is_waited_for_no_longer(waited: TaskApi) -> None:
    client = waited.person()
    with pytest.raises(httpx2.ReadTimeout):
        client.post(TASKS, json=BODY, headers=LONG, timeout=1)
    wait_for(lambda: waited.open_streams() == 0)
    assert [task["status"] for task in listed(client)] == ["PENDING"]


async def test_the_end_of_the_server_ends_the_wait() -> None:
    stopping = asyncio.Event()
    hub = EventHub(_NoChanges(), stopping)
    stream = Stream(StateQuery(Principal("ana", "acme"), uuid4()), None)
    with hub.opened(stream):
        waiting = asyncio.create_task(stream.reaches_end())
        await asyncio.sleep(0)
        stopping.set()
        assert await waiting is False
    await hub.close()


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (["wait=5"], 5),
        (["respond-async, WAIT = 5"], 5),
        (["respond-async", 'wait="7"; x=y'], 7),
        (["wait=5, wait=9"], 5),
        (["wait=999999999"], LONGEST_WAIT.seconds),
        (["wait=0"], 0),
        (["wait=-1"], None),
        (["wait=5s"], None),
        (["wait"], None),
        (["handling=lenient"], None),
        (["wait=99999999999999999999"], None),
        ([], None),
    ],
)
def test_the_header_is_read_as_the_rfc_has_it(sent: list[str], seconds: int | None) -> None:
    headers = Headers(raw=[(b"prefer", value.encode()) for value in sent])
    wait = preferred_wait(headers)
    assert (None if wait is None else wait.total_seconds()) == seconds
