"""What runs beside the routes in a process of the API: the relay, and a look at the broker."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any

from waybill.infra.broker.port import Broker, BrokerUnavailable

log = logging.getLogger(__name__)


@asynccontextmanager
async def watched(broker: Broker) -> AsyncIterator[None]:
    """Watch `broker` while the block runs, and close it at the end."""
    watching = asyncio.create_task(_watch(broker), name="watch")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await broker.close()


async def _watch(broker: Broker) -> None:
    """Find out whether the broker lets us in, and takes messages; the API works without it."""
    try:
        await broker.connect()
    except BrokerUnavailable as error:
        log.warning("no broker yet", extra={"why": error.message})
    await broker.watch()


async def relay_until(stop: asyncio.Event, running: Any) -> None:
    """Run a relay until `stop` is set."""
    relay = asyncio.create_task(running)
    await stop.wait()
    relay.cancel()
    with suppress(asyncio.CancelledError):
        await relay


async def join(jobs: list[asyncio.Task[Any]]) -> None:
    """Wait for every job, and then raise what the first failed one raised."""
    for result in await asyncio.gather(*jobs, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


@contextmanager
def stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at SIGTERM and Ctrl-C as well, before the host's own handler is called.

    A server waits for open responses before it ends its application, and event streams end only
    when they hear of it. Outside of the main thread, where Python allows no handler, nothing is
    done: there the host sets the event by leaving.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def asked(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is asked:
                signal.signal(number, handler)
