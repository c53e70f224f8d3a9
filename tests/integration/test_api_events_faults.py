"""Event streams when the network is cut, the database is away, or the process ends."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.support.event_reader import listening
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.api.cli.listener import listen
from waybill.api.events import stream as events_stream

ALL = f"{TASKS}/events"


@pytest.fixture
def network(api: TaskApi) -> Iterator[TcpProxy]:
    """A network between the clients and the API."""
    with TcpProxy(httpx2.URL(api.url).port or 0) as proxy:
        yield proxy


def test_a_cut_network_loses_nothing(api: TaskApi, network: TcpProxy) -> None:
    client = api.person()
    token = client.headers["Authorization"].removeprefix("Bearer ")
    far = api.client(token, base_url=f"http://127.0.0.1:{network.port}")
    tasks = [ask(client, params={"at_least": number}) for number in range(5)]
    seen: dict[str, str] = {}

    def listen(last_id: str | None) -> str | None:
        """Until the network breaks, or all have failed; the id to come again with."""
        stream = None
        try:
            with listening(far, ALL, last_id) as stream:
                for event in stream:
                    if event.kind == "task":
                        seen[event.data["id"]] = event.data["status"]
                    if list(seen.values()).count("FAILED") == len(tasks):
                        break
                    if last_id is None and stream.last_id:
                        network.reset()
        except httpx2.TransportError:
            pass
        return stream and stream.last_id

    last_id = listen(None)
    assert set(seen.values()) == {"PENDING"}
    # Each time it comes again, the way breaks at another byte of what it missed.
    for task, length in zip(tasks, (900, 2_000, 3_000, 4_000, None), strict=True):
        api.fail(task)
        if length:
            network.cut_after(length)
        last_id = listen(last_id) or last_id
        network.heal()
    assert seen == {task["id"]: "FAILED" for task in tasks}
    assert network.accepted == 1 + len(tasks)


@pytest.fixture
def far_database(
    tmp_path: Path,
    postgres_server: PostgresServer,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[TaskApi, TcpProxy]]:
    """An API whose database is at the other end of a network."""
    monkeypatch.setattr(events_stream, "HEARTBEAT", timedelta(seconds=0.2))
    with TcpProxy(postgres_server.port) as proxy:
        way = postgres_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        with running_api(way, tmp_path) as api:
            yield api, proxy


def test_while_the_database_is_away_streams_pause_and_then_tell_what_they_missed(
    far_database: tuple[TaskApi, TcpProxy], caplog: pytest.LogCaptureFixture
) -> None:
    api, proxy = far_database
    client = api.person()
    task = ask(client)
    caplog.set_level(logging.INFO, "waybill.api")
    with listening(client, f"{TASKS}/{task['id']}/events") as one, listening(client, ALL) as mine:
        one.until(task["id"], "PENDING")
        mine.until(task["id"], "PENDING")
        proxy.refuse()
        # Opened without a database: it waits for its first word, and its heart beats.
        with listening(client, ALL) as late:
            refused = client.get(f"{TASKS}/{task['id']}/events")
            time.sleep(1)
            proxy.heal()
            api.finish(task)
            ends = [stream.until(task["id"], "SUCCESS") for stream in (one, mine, late)]
            assert all(len(stream.heartbeats) > 1 for stream in (one, mine, late))

    assert ends[0][-1].data == ends[1][-1].data == ends[2][-1].data
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    about = [record for record in caplog.records if record.name == "waybill.api.events.hub"]
    assert [record.getMessage() for record in about] == [
        "event streams pause", "event streams go on"
    ]  # fmt: skip
    assert not any(record.exc_info for record in about)


def test_streams_end_at_once_when_the_process_is_about_to(tmp_path: Path) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        client = api.person()
        task = ask(client)
        with (
            listening(client, ALL) as mine,
            listening(client, f"{TASKS}/{task['id']}/events") as one,
        ):
            mine.until(task["id"], "PENDING")
            one.next()
            loop = api.services.stopping._loop  # type: ignore[attr-defined]
            loop.call_soon_threadsafe(api.services.stopping.set)
            began = time.monotonic()
            assert [*mine, *one] == []
            assert time.monotonic() - began < 1
        # Whoever comes now is sent on at once, too.
        with listening(client, ALL) as mine:
            assert list(mine) == []


def test_f55_a_client_that_takes_nothing_is_dropped() -> None:
    """As a cable that was pulled: no FIN, no RST, and nothing is acknowledged."""
    with (
        listen("127.0.0.1", 0, silent_client=timedelta(seconds=0.3)) as listener,
        socket.socket() as client,
    ):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
        connection.settimeout(10)
        with connection, pytest.raises(TimeoutError) as dropped:
            connection.sendall(bytes(64 * 2**20))
        # By the kernel, and not by the ten seconds of this test.
        assert dropped.value.errno == errno.ETIMEDOUT
