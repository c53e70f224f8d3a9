"""R38: requests that are never sent to their end, as many as anybody can open connections."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from tests.support.eventually import wait_for
from tests.support.processes import WAYBILL, environment
from tests.support.servers.ports import free_ports
from tests.support.servers.task_api import serve
from waybill.api.cli.http_server import Bounds
from waybill.infra.config.log_floods import FloodFilter

#: As the service manager of a small machine sets it.
FEW_FILES = 256


def toy() -> FastAPI:
    """Routes that read a body, and one that ignores it."""
    app = FastAPI()

    @app.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/ignore")
    async def ignore() -> str:
        return "not read"

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        async def parts():
            yield b"begun"
            await asyncio.to_thread(app.state.release.wait)
            yield b"ended"

        return StreamingResponse(parts())

    app.state.release = Event()
    return app


@contextmanager
def connected(url: str, sent: bytes = b"") -> Iterator[socket.socket]:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(sent)
        yield connection


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    answer = b""
    try:
        while part := connection.recv(4096):
            answer += part
    except ConnectionResetError:
        pass
    return answer


HALF_HEADER = b"POST /read HTTP/1.1\r\nHost: waybill\r\nContent-"
HALF_BODY = b"POST %s HTTP/1.1\r\nHost: waybill\r\nContent-Length: 100\r\n\r\nten bytes."


@pytest.mark.parametrize(
    "sent",
    [b"G", HALF_HEADER, HALF_BODY % b"/read"],
    ids=["first letter", "half a header", "half a body"],
)
def test_r38_a_request_that_does_not_end_is_answered_and_closed_in_time(sent):
    with (
        serve(toy(), Bounds(header_seconds=0.2, body_seconds=0.2)) as url,
        connected(url, sent) as connection,
    ):
        answer = rest_of(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "request_timeout"


def test_r38_a_connection_that_says_nothing_is_closed_without_a_word():
    with serve(toy(), Bounds(header_seconds=0.2)) as url, connected(url) as connection:
        assert rest_of(connection) == b""


def test_r38_a_body_that_nobody_reads_does_not_hold_the_connection():
    with (
        serve(toy(), Bounds(body_seconds=0.2)) as url,
        connected(url, HALF_BODY % b"/ignore") as connection,
    ):
        answer = rest_of(connection)
    assert b"not read" in answer
    assert b"408" not in answer


def test_r38_a_header_that_drips_is_cut_off_all_the_same():
    with (
        serve(toy(), Bounds(header_seconds=0.5)) as url,
        connected(url, b"GET / HTTP/1.1\r\n") as connection,
    ):

        def drip() -> bool:
            try:
                connection.sendall(b"X-Drip: 1\r\n")
            except OSError:
                return True
            return False

        wait_for(drip, seconds=15)


def test_a_request_on_a_connection_that_lives_on_has_its_own_time():
    with serve(toy(), Bounds(header_seconds=5, body_seconds=5)) as url, httpx2.Client() as client:
        for size in (0, 10, 100_000):
            answer = client.post(f"{url}/read", content=b"x" * size)
            assert (answer.status_code, answer.json()) == (200, size)


def test_a_slow_answer_is_not_cut_off():
    app = toy()
    with (
        serve(app, Bounds(header_seconds=0.1, body_seconds=0.1)) as url,
        connected(url, b"GET /slow HTTP/1.1\r\nHost: waybill\r\nConnection: close\r\n\r\n") as slow,
        # Closed by the same clock, so it has run out for the slow answer, too.
        connected(url) as idle,
    ):
        assert rest_of(idle) == b""
        app.state.release.set()
        assert b"ended" in rest_of(slow)


def test_r38_half_sent_requests_make_room_for_others(caplog):
    caplog.set_level(logging.WARNING)
    with serve(toy(), Bounds(connections=8)) as url, ExitStack() as open_connections:
        halves = [open_connections.enter_context(connected(url, HALF_HEADER)) for _ in range(40)]
        answer = httpx2.post(f"{url}/read", content=b"four")
        assert (answer.status_code, answer.json()) == (200, 4)
        # The oldest went first.
        assert all(rest_of(half) == b"" for half in halves[:30])
    assert [record.message for record in caplog.records if "limit" in record.message] == [
        "connection limit reached"
    ] * 33


def test_a_connection_in_use_is_never_closed_to_make_room():
    app = toy()
    slow = b"GET /slow HTTP/1.1\r\nHost: waybill\r\nConnection: close\r\n\r\n"
    with serve(app, Bounds(connections=3)) as url, ExitStack() as open_connections:
        busy = [open_connections.enter_context(connected(url, slow)) for _ in range(3)]
        for connection in busy:
            assert connection.recv(12) == b"HTTP/1.1 200"
        with connected(url) as fourth:
            assert rest_of(fourth) == b""
        app.state.release.set()
        assert all(b"ended" in rest_of(connection) for connection in busy)


@pytest.mark.parametrize("descriptors", [64, 256, 1024, 4096, 20_000, 1_048_576])
def test_r38_connections_and_those_about_to_be_closed_leave_descriptors_for_the_rest(descriptors):
    bounds = Bounds.within(descriptors)
    accepted = bounds.connections + 4 * bounds.backlog
    assert descriptors - accepted >= min(200, descriptors // 2)
    assert 0 < bounds.streams < bounds.connections


def test_r38_a_flood_leaves_one_line_a_minute():
    now = [0.0]
    floods, lines = FloodFilter(clock=lambda: now[0]), []
    logger = logging.Logger("asyncio")
    handler = logging.Handler()
    handler.addFilter(floods)
    handler.emit = lines.append
    logger.addHandler(handler)

    for second in range(121):
        now[0] = float(second)
        for _ in range(128):
            logger.error("socket.accept() out of system resource\nsocket: …", exc_info=OSError(24))
        logger.error("something else")

    floods_shown = [line for line in lines if "accept" in line.getMessage()]
    assert [line.not_shown for line in floods_shown] == [0, 128 * 60 - 1, 128 * 60 - 1]
    assert not any(line.exc_info for line in floods_shown)
    assert len(lines) == 3 + 121


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_r38_a_process_with_few_descriptors_outlives_more_half_sent_requests(
    tmp_path: Path, workers: int
):
    (port,) = free_ports(1)
    log = tmp_path / "waybill.log"
    url = f"http://127.0.0.1:{port}"
    env = environment(tmp_path / "home", f"sqlite:///{tmp_path}/tasks.db")
    command = f"ulimit -n {FEW_FILES}; exec {WAYBILL} serve --port {port} --workers {workers}"
    with log.open("wb") as output, ExitStack() as open_connections:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command], env=env, stdout=output, stderr=output
        )
        open_connections.callback(end, process)
        wait_for(lambda: answers(url), seconds=60)
        for _ in range((1 + workers) * FEW_FILES):
            open_connections.enter_context(connected(url, HALF_HEADER))
        # Whichever process is asked.
        assert all(answers(url) for _ in range(4 * workers))
    assert process.returncode == 0
    lines = log.read_text().splitlines()
    limited = [json.loads(line) for line in lines if "connection limit reached" in line]
    # One line of each process. The kernel gives neither a fixed share.
    assert 1 <= len(limited) <= workers
    assert not [line for line in lines if "out of system resource" in line]


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz", timeout=10).status_code == 200
    except httpx2.HTTPError:
        return False


def end(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait(30)
