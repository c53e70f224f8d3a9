"""Wake-ups to send, and handlers that remember what they were given."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from waybill.infra.broker.port import Broker, WakeUp, Work

#: Far above what anything takes here, so that a slow machine fails no test.
PATIENCE_SECONDS = 30.0

#: The delays of `WAYBILL_RETRY_DELAYS` by default.
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (2, 8, 30, 120))


def wake_ups(count: int) -> list[WakeUp]:
    """Different wake-ups; `fence` numbers them."""
    return [WakeUp(uuid.uuid4(), fence) for fence in range(count)]


def poison() -> WakeUp:
    """A wake-up whose body no version of Waybill can read."""
    return WakeUp(uuid.uuid4(), fence="not a number")


async def publish_all(broker: Broker, messages: Sequence[WakeUp], queue: str) -> None:
    """Publish in order, each with an id of its own."""
    for message in messages:
        await broker.publish(message, queue=queue, message_id=str(uuid.uuid4()))


@dataclass
class Recorder:
    """A handler that remembers its calls, and does `before` and `work` where it is given some."""

    before: Callable[[WakeUp], Awaitable[None]] | None = None
    work: Work | None = None
    seen: list[WakeUp] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, wake_up: WakeUp) -> Work | None:
        async with self._changed:
            self.seen.append(wake_up)
            self._changed.notify_all()
        if self.before is not None:
            await self.before(wake_up)
        return self.work

    async def until(self, count: int) -> list[WakeUp]:
        """Wait for the `count`th call, and return all there were by then."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.seen) >= count)
        return list(self.seen)


@dataclass
class DeadLetterRecorder:
    """A dead-letter handler that remembers its calls; the first `failures` of them fail."""

    failures: int = 0
    seen: list[tuple[bytes, str, str]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, body: bytes, queue: str, reason: str) -> None:
        async with self._changed:
            self.seen.append((body, queue, reason))
            self._changed.notify_all()
        if len(self.seen) <= self.failures:
            raise RuntimeError("the database is away")

    async def until(self, count: int) -> list[tuple[bytes, str, str]]:
        """Wait for the `count`th call, and return all there were by then."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.seen) >= count)
        return list(self.seen)


async def abandon(broker: Broker, handler: Recorder, once: asyncio.Event) -> None:
    """Consume until `once` is set, leave, and be cancelled while waiting for what runs."""
    leaving = asyncio.Event()

    async def consume() -> None:
        async with broker.consume(["orders"], handler, concurrency=1):
            await once.wait()
            leaving.set()

    task = asyncio.create_task(consume())
    await asyncio.wait_for(leaving.wait(), PATIENCE_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
