"""Event streams: one watcher for all of them, and at most one database connection.

A stream holds nothing but its socket. The watcher runs while there are streams; twice a
second it asks the database, in a thread, what changed, and hands each change to the streams
of its owner. So it makes no difference which process changed a task.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from waybill.api.events.stream import Message, Stream, message_of
from waybill.api.problems.errors import TooManyStreams
from waybill.infra.tasks.queries.changes import Look, Owner, TaskChanges

log = logging.getLogger(__name__)

#: A page needs one, a browser allows six connections to a host; the rest is for programs.
MAX_STREAMS_PER_USER = 20
#: What a person takes for "at once", for two short statements a second.
_INTERVAL_SECONDS = 0.5
#: During an outage; the longest time a database that is back goes unnoticed.
_LONGEST_INTERVAL_SECONDS = 5.0
#: New streams served by one look, so that a crowd does not hold up the others.
_BEGIN_AT_ONCE = 20


class EventHub:
    """The open streams of this process, and what tells them. Belongs to one event loop."""

    def __init__(self, changes: TaskChanges, stopping: asyncio.Event) -> None:
        self._changes = changes
        self._stopping = stopping
        self._streams: dict[Owner, list[Stream]] = {}
        self._beginning: deque[Stream] = deque()
        self._arrival = asyncio.Event()
        self._last: Look | None = None
        self._jobs: list[asyncio.Task[None]] = []

    @property
    def open_streams(self) -> int:
        """How many streams are open."""
        return sum(map(len, list(self._streams.values())))

    @contextmanager
    def opened(self, stream: Stream) -> Iterator[None]:
        """Feed `stream` while the block runs.

        Raises:
            TooManyStreams: its owner has `MAX_STREAMS_PER_USER` in this process.
        """
        mine = self._streams.setdefault(stream.owner, [])
        if len(mine) >= MAX_STREAMS_PER_USER:
            raise TooManyStreams
        mine.append(stream)
        self._beginning.append(stream)
        self._arrival.set()
        if self._stopping.is_set():
            stream.close()
        elif not self._jobs:
            self._jobs = [
                asyncio.create_task(self._watch(), name="task changes"),
                asyncio.create_task(self._end_when_stopping(), name="end of streams"),
            ]
        try:
            yield
        finally:
            mine.remove(stream)
            if not mine:
                del self._streams[stream.owner]
            with suppress(ValueError):
                self._beginning.remove(stream)

    async def close(self) -> None:
        """End all streams, and the watcher."""
        self._close_streams()
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _close_streams(self) -> None:
        for streams in self._streams.values():
            for stream in streams:
                stream.close()

    async def _end_when_stopping(self) -> None:
        # The server waits for open answers before it ends the application.
        await self._stopping.wait()
        self._close_streams()

    async def _watch(self) -> None:
        pause, away = _INTERVAL_SECONDS, False
        while self._streams:
            try:
                await self._look()
            except Exception as error:
                if not away:
                    _report(error)
                away = True
                pause = min(2 * pause, _LONGEST_INTERVAL_SECONDS)
                await asyncio.sleep(pause)
                continue
            if away:
                log.info("event streams go on")
                pause, away = _INTERVAL_SECONDS, False
            if not self._beginning:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._arrival.wait()
        # Nobody is there to miss anything, and whoever comes begins with what there is.
        self._last = None
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            if job is not asyncio.current_task():
                job.cancel()

    async def _look(self) -> None:
        """Read once, tell everybody. Nothing is told, and nothing lost, when reading fails."""
        self._arrival.clear()
        beginning = list(self._beginning)[:_BEGIN_AT_ONCE]
        look, told, states = await asyncio.to_thread(
            self._read, self._last, frozenset(self._streams), beginning
        )
        self._last = look
        for owner, message in told:
            for stream in self._streams.get(owner, ()):
                if stream.begun:
                    stream.put(message)
        for stream, state, messages in zip(beginning, look.states, states, strict=True):
            # It may be gone by now.
            if stream in self._beginning:
                self._beginning.remove(stream)
                stream.begin(state, messages)
        for streams in self._streams.values():
            for stream in streams:
                if stream.begun:
                    stream.position = look.position

    def _read(
        self, last: Look | None, watched: frozenset[Owner], beginning: Sequence[Stream]
    ) -> tuple[Look, list[tuple[Owner, Message]], list[list[Message]]]:
        """Runs in a thread: the only place where a connection is held."""
        look = self._changes.look(last, watched, [stream.wanted for stream in beginning])
        now = datetime.now(UTC)
        return (
            look,
            [(change.owner, message_of(change, now)) for change in look.changes],
            [[message_of(change, now) for change in state.changes] for state in look.states],
        )


class EventStream(StreamingResponse):
    """The answer that is a stream. It counts as open for as long as it is being sent.

    The framework's own `EventSourceResponse` takes generators only, which can refuse nothing:
    their answer has begun. It also runs two more tasks for each stream.
    """

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, stream: Stream) -> None:
        # Buffering proxies would hold events back until there are enough of them.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(stream.frames(), headers=headers)
        self._hub = hub
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. What is raised before the first byte is answered as a problem."""
        with self._hub.opened(self._stream):
            await super().__call__(scope, receive, send)


def _report(error: Exception) -> None:
    """Once per outage. The trace of a database that is away says nothing its name does not."""
    if isinstance(error, SQLAlchemyError):
        log.warning("event streams pause", extra={"why": type(error).__name__})
    else:
        log.error("event streams pause", exc_info=error)
