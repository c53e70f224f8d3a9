"""Helpers for the tests of the Python client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from waybill.api.client import client as client_module
from waybill.client import ExportTask


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
