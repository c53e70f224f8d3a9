"""R47: what the API does for callers it does not know, and for those that hang up."""

from __future__ import annotations

import logging
import re
import socket
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.servers.task_api import TASKS, TaskApi
from waybill.api.app import create_app

AMBIGUOUS = b'{"a": 1, "a": 2}'


def routes_with_a_body(api: TaskApi) -> list[tuple[str, str]]:
    paths = api.client().get("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.sub(r"\{\w+\}", str(uuid4()), path))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]


def test_r47_a_stranger_is_told_nothing_of_a_body(api: TaskApi) -> None:
    routes, stranger = routes_with_a_body(api), api.client()
    assert ("POST", TASKS) in routes
    assert len(routes) >= 4
    for method, path in routes:
        for body in (AMBIGUOUS, b"", b"\xff"):
            answer = stranger.request(
                method, path, content=body, headers={"Content-Type": "application/json"}
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path


def test_r47_a_stranger_s_body_is_not_waited_for(api: TaskApi) -> None:
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
        assert b" 401 " in connection.recv(4096).splitlines()[0]


async def test_r47_a_caller_that_hangs_up_leaves_no_line_and_gets_no_answer(
    api: TaskApi, caplog: pytest.LogCaptureFixture
) -> None:
    token = api.token(api.tenant())
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": TASKS,
        "raw_path": TASKS.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", b"100"),
            (b"authorization", f"Bearer {token}".encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    parts = [
        {"type": "http.request", "body": b'{"type":', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    with caplog.at_level(logging.INFO):
        await create_app(api.services)(scope, receive, send)

    assert parts == []
    assert sent == []
    assert [record.message for record in caplog.records] == []
