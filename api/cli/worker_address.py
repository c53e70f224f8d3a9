"""The address of a worker, for probes and Prometheus: open while the worker works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from waybill.api.cli.http_server import Bounds, QuietServer, server_config
from waybill.api.cli.listener import listen
from waybill.api.health.worker_app import worker_app
from waybill.infra.config.addresses import host_and_port
from waybill.infra.config.settings import Settings

#: A probe and a scraper or two; the others are strangers.
_BOUNDS = Bounds(connections=32, backlog=16)


@asynccontextmanager
async def answering(settings: Settings) -> AsyncIterator[None]:
    """Answer at `WAYBILL_WORKER_ADDRESS` while the block runs; without the setting, nowhere.

    Raises:
        AddressInUse.
    """
    if settings.worker_address is None:
        yield
        return
    with listen(*host_and_port(settings.worker_address)) as listener:
        server = QuietServer(server_config(worker_app(settings), _BOUNDS))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="worker-address")
        try:
            yield
        finally:
            server.should_exit = True
            await serving
