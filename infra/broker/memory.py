"""The in-process broker, used when no RabbitMQ is configured.

Use it from one event loop; nothing here is thread-safe. Messages live as long as the
process: after a restart the sweeper publishes again what the database still waits for.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from waybill.infra.broker.concurrency import RunningDeliveries, consuming
from waybill.infra.broker.delivery import DEAD_LETTER_PAUSE, Delivery, deliver, deliver_dead_letter
from waybill.infra.broker.port import (
    BrokerUnavailable,
    DeadLetterHandler,
    Handler,
    KnownTasks,
    WakeUp,
)
from waybill.infra.broker.shared_limit import SharedLimit
from waybill.infra.tracing.spans import current_traceparent


@dataclass(frozen=True, slots=True)
class _Message:
    body: bytes
    queue: str
    reason: str = ""
    traceparent: str | None = field(default_factory=current_traceparent)


class _Queue:
    """Messages in order of arrival, and the consumers to wake when another arrives."""

    def __init__(self) -> None:
        self.messages: deque[_Message] = deque()
        self.listeners: set[asyncio.Event] = set()

    def add(self, message: _Message) -> None:
        self.messages.append(message)
        self._wake()

    def put_back(self, message: _Message) -> None:
        self.messages.appendleft(message)
        self._wake()

    def _wake(self) -> None:
        for event in self.listeners:
            event.set()


class MemoryBroker:
    """A `Broker` inside the process. Queues are created when they are first named."""

    def __init__(self, *, dead_letter_pause: timedelta = DEAD_LETTER_PAUSE) -> None:
        """Dead letters whose handler failed are offered again after `dead_letter_pause`."""
        self._dead_letter_pause = dead_letter_pause
        self._queues: defaultdict[str, _Queue] = defaultdict(_Queue)
        self._dead = _Queue()
        self._closed = False

    async def publish(
        self, wake_up: WakeUp, *, queue: str, message_id: str, delay: timedelta = timedelta(0)
    ) -> None:
        """Keep one message for `queue`, from `delay` on. See `Broker.publish`."""
        if self._closed:
            raise BrokerUnavailable("The broker is closed.")
        arrive = partial(self._queues[queue].add, _Message(wake_up.encode(), queue))
        if delay > timedelta(0):
            asyncio.get_running_loop().call_later(delay.total_seconds(), arrive)
        else:
            arrive()

    async def publish_dead_letter(
        self, wake_up: WakeUp, *, queue: str, message_id: str, reason: str
    ) -> None:
        """Keep one dead letter. See `Broker.publish_dead_letter`."""
        if self._closed:
            raise BrokerUnavailable("The broker is closed.")
        self._dead.add(_Message(wake_up.encode(), queue, reason))

    def consume(
        self,
        queues: Iterable[str],
        handler: Handler,
        *,
        concurrency: int,
        shared: SharedLimit | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Deliver messages of `queues` to `handler`. See `Broker.consume`."""
        return consuming(
            _MemoryConsumer(
                [self._queues[queue] for queue in queues],
                self._dead,
                partial(deliver, handler=handler),
                concurrency,
                asyncio.Event(),
                shared,
            )
        )

    def consume_dead_letters(self, handler: DeadLetterHandler) -> AbstractAsyncContextManager[None]:
        """Deliver dead letters to `handler`. See `Broker.consume_dead_letters`."""
        stopping = asyncio.Event()
        return consuming(
            _MemoryConsumer(
                [self._dead],
                self._dead,
                partial(
                    deliver_dead_letter,
                    handler=handler,
                    stopping=stopping,
                    pause=self._dead_letter_pause,
                ),
                1,
                stopping,
            )
        )

    async def announce(self) -> list[str]:
        """Nobody else is in the process."""
        return []

    async def take_over_earlier(self, known: KnownTasks) -> int:
        """Nothing outlives the process."""
        return 0

    async def connect(self) -> None:
        """There is nothing to connect to."""

    def check_access(self) -> None:
        """Nothing is refused."""

    async def watch(self) -> None:
        """There is nothing to watch."""

    async def close(self) -> None:
        """Refuse further messages. Leave every consuming context first."""
        self._closed = True


class _MemoryDelivery:
    """A message taken from its queue, which therefore no longer holds it."""

    def __init__(self, message: _Message, origin: _Queue, dead: _Queue) -> None:
        self._message = message
        self._origin = origin
        self._dead = dead
        self.body = message.body
        self.queue = message.queue
        self.reason = message.reason
        self.traceparent = message.traceparent

    async def ack(self) -> None:
        """Taking the message was all it needed."""

    async def dead_letter(self, reason: str) -> None:
        self._dead.add(_Message(self.body, self.queue, reason))

    async def requeue(self) -> None:
        self._origin.put_back(self._message)


class _MemoryConsumer:
    def __init__(
        self,
        queues: Iterable[_Queue],
        dead: _Queue,
        on_delivery: Callable[[Delivery], Coroutine[Any, Any, None]],
        concurrency: int,
        stopping: asyncio.Event,
        shared: SharedLimit | None = None,
    ) -> None:
        self._queues = deque(queues)
        self._dead = dead
        self._on_delivery = on_delivery
        self._stopping = stopping
        self._changed = asyncio.Event()
        self._running = RunningDeliveries(concurrency, self._changed.set, shared)

    def stop(self) -> None:
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        for queue in self._queues:
            queue.listeners.add(self._changed)
        try:
            while not self._stopping.is_set():
                if not self._running.full and (delivery := self._take()):
                    self._running.start(self._on_delivery(delivery))
                else:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            for queue in self._queues:
                queue.listeners.discard(self._changed)
            await self._running.finish()

    def _take(self) -> Delivery | None:
        """The next message, of each queue in turn: a long queue does not hold up the others."""
        for _ in range(len(self._queues)):
            queue = self._queues[0]
            self._queues.rotate(-1)
            if queue.messages:
                return _MemoryDelivery(queue.messages.popleft(), queue, self._dead)
        return None
