"""Helpers for the tests of the Python client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.task_api import TaskApi, running_api
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
