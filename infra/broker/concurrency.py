"""Running a consumer: a limit on deliveries at once, and a context that starts and ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol

from waybill.infra.broker.shared_limit import SharedLimit

log = logging.getLogger(__name__)


class RunningDeliveries:
    """The deliveries that are being handled or worked on: at most `limit` of them."""

    def __init__(
        self, limit: int, on_change: Callable[[], None], shared: SharedLimit | None = None
    ) -> None:
        """`shared` limits them together with those of other consumers."""
        if limit < 1:
            raise ValueError("concurrency is at least 1")
        self._limit = limit
        self._shared = shared or SharedLimit(limit)
        self._shared.tell(on_change)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether another delivery would be one too many."""
        return len(self._tasks) >= self._limit or self._shared.full

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self._tasks

    def start(self, delivery: Coroutine[Any, Any, None]) -> None:
        """Run `delivery` in a task of its own: no broker's callback can cancel it."""
        task = asyncio.create_task(delivery)
        self._tasks.add(task)
        self._shared.started()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery failed", exc_info=error)
        self._shared.ended()

    async def finish(self) -> None:
        """Wait for everything that runs. When cancelled, cancel it all, and wait for that."""
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            raise


class Consumer(Protocol):
    """Takes messages and starts their deliveries, from `run` until `stop`."""

    async def run(self) -> None:
        """Take messages until `stop`, wait for what runs then, and return."""
        ...

    def stop(self) -> None:
        """Take no further message."""
        ...


@asynccontextmanager
async def consuming(consumer: Consumer) -> AsyncIterator[None]:
    """Run `consumer` while the context is open; if it fails, the body is cancelled.

    What the consumer raised is then raised out of the context, in place of the cancellation.
    """
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            run = group.create_task(consumer.run())
            try:
                yield
            finally:
                consumer.stop()
                # Cancelling this wait cancels the run, and with it what still runs.
                await run
    except BaseExceptionGroup as several:
        failure = several.exceptions[0]
    if failure is not None:
        raise failure


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """Wait until `event` is set, and no longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
