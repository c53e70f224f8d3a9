"""What the suite of the page changes in this host: datasets, worker, login and heartbeats.

Imported only when the suite starts the host, with our repository in its path.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from tests.browser.every_kind import suite_registry
from waybill.api.events import stream as events_stream


def options(get_principal: Any) -> dict[str, Any]:
    """The suite's own datasets, whose worker is the test; in some tests, Waybill's own login."""
    chosen = {"registry": suite_registry(), "worker": False, "get_principal": get_principal}
    if "HOST_WITHOUT_LOGIN" in os.environ:
        del chosen["get_principal"]
    return chosen


def add_controls(app: FastAPI) -> None:
    """Routes by which a test changes what it cannot reach in this process."""

    @app.put("/suite/heartbeat")
    async def heartbeat(seconds: float) -> None:
        events_stream.HEARTBEAT = timedelta(seconds=seconds)
