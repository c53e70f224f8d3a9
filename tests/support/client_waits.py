"""Helpers for the tests of the Python client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.servers.task_api import TaskApi, running_api, serve
from waybill.api.app import create_app
from waybill.api.client import client as client_module
from waybill.client import ExportTask
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store


@contextmanager
def api_with_files(s3_config: S3Config, home: Path) -> Iterator[TaskApi]:
    """An API whose files are in a real object store."""
    with (
        closing(S3Store(s3_config)) as store,
        running_api(f"sqlite:///{home}/tasks.db", home, store=store) as api,
    ):
        yield api


def while_waiting(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], Any]) -> list[float]:
    """Do the next of `steps` each time the client waits, which it then does not."""
    seconds: list[float] = []
    left = iter(steps)

    def sleep(duration: float) -> None:
        seconds.append(duration)
        next(left)()

    monkeypatch.setattr(client_module, "sleep", sleep)
    return seconds


def running(task: ExportTask) -> dict[str, Any]:
    """The task as `TaskApi` names it."""
    return {"id": str(task.id)}


@contextmanager
def without_streams(
    api: TaskApi, content_type: bytes = b"text/html", body: bytes = b"<html>"
) -> Iterator[str]:
    """The address of `api` behind a proxy that answers event streams itself."""
    with serve(_NoStreams(create_app(api.services), content_type, body)) as url:
        yield url


class _NoStreams:
    def __init__(self, app: ASGIApp, content_type: bytes, body: bytes) -> None:
        self._app = app
        self._headers = [(b"content-type", content_type)]
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/events"):
            headers = self._headers
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self._body})
            return
        await self._app(scope, receive, send)
