"""A thousand idle event streams on `waybill serve`: what they cost, and how it ends with them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.e2e.conftest import Installation
from tests.support.eventually import wait_for
from tests.support.processes import SECRET, process
from tests.support.servers.ports import free_ports
from tests.support.task_store import new_task
from waybill.api.session.development_tokens import mint
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine
from waybill.infra.tasks.lifecycle.requests import TaskRequests

STREAMS = 1_000
USERS = 100
MAX_GROWTH_MIB = 150


def token(user: str) -> str:
    settings = load(jwt_secret=SECRET)
    return mint(settings, user, "acme", frozenset({"sales"}), timedelta(minutes=5))


@pytest.fixture
def server(installation: Installation) -> Iterator[tuple[int, int]]:
    """Port and process of `waybill serve`; it answers."""
    [port] = free_ports(1)
    with process(installation.env, installation.log, "serve", "--port", str(port)) as running:

        def ready() -> bool:
            assert running.poll() is None, installation.log.read_text()
            try:
                return httpx2.get(f"http://127.0.0.1:{port}/readyz").is_success
            except httpx2.TransportError:
                return False

        wait_for(ready)
        yield port, running.pid
        running.wait(20)


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class RawStream:
    """A stream on a bare socket: a thousand HTTP clients would cost more than the server."""

    def __init__(self, port: int, user: str) -> None:
        self._port, self._user = port, user
        self.received = b""

    async def open(self, gate: asyncio.Semaphore, bearer: str) -> None:
        async with gate:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            request = (
                "GET /api/export-tasks/events HTTP/1.1\r\nHost: waybill\r\n"
                f"Authorization: Bearer {bearer}\r\n\r\n"
            )
            self._writer.write(request.encode())
            await self.read_to(b"event: reset")
            assert self.received.startswith(b"HTTP/1.1 200 "), self.received

    async def read_to(self, mark: bytes) -> None:
        async with asyncio.timeout(20):
            while mark not in self.received:
                data = await self._reader.read(65_536)
                assert data, self.received
                self.received += data

    async def read_to_end(self) -> bytes:
        async with asyncio.timeout(20):
            self.received += await self._reader.read()
        self._writer.close()
        return self.received


def busy_connections(database: str) -> int:
    """Connections of the API that are checked out: in a transaction, idle or not."""
    url = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        [[count]] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle' AND application_name = 'waybill'"
        ).fetchall()
    return count


async def test_f38_a_thousand_idle_streams_hold_no_connection_and_little_memory(
    installation: Installation, server: tuple[int, int]
) -> None:
    port, pid = server
    users = [f"user-{number}" for number in range(USERS)]
    bearers = {user: token(user) for user in users}
    before = resident_mib(pid)
    streams = [RawStream(port, users[number % USERS]) for number in range(STREAMS)]
    gate = asyncio.Semaphore(50)
    await asyncio.gather(*(stream.open(gate, bearers[stream._user]) for stream in streams))
    grown = resident_mib(pid) - before

    # The watcher, the relay and the sweeper each look for a few milliseconds now and then.
    looks = [busy_connections(installation.database) for _ in range(40)]

    # Another process changes a row, and one user's ten streams tell it.
    engine = create_engine(installation.database)
    owner = Principal("user-7", "acme", frozenset({"sales"}))
    task = TaskRequests(engine).submit(owner, new_task(params={})).task
    mine = [stream for stream in streams if stream._user == "user-7"]
    await asyncio.gather(*(stream.read_to(str(task.id).encode()) for stream in mine))
    engine.dispose()

    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    rest = await asyncio.gather(*(stream.read_to_end() for stream in streams))
    seconds = time.monotonic() - began

    assert grown <= MAX_GROWTH_MIB
    assert min(looks) == 0
    assert max(looks) <= 3
    assert sum(str(task.id).encode() in received for received in rest) == len(mine)
    assert all(received.endswith(b"0\r\n\r\n") for received in rest)
    # A server that had to cut them off would wait for five.
    assert seconds < 3
    assert "Traceback" not in installation.log.read_text()
