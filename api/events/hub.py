"""Event hub: polls the database for task changes, and passes them to all open event streams.

All streams of a process share one poller and at most one database connection. The poller runs while
there are streams. Twice a second it reads the changes in a thread, and passes each one to the
streams of the task's owner. So it does not matter which process changed a task.
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
from waybill.api.events.stream_count import StreamCount
from waybill.api.problems.errors import TooManyStreams
from waybill.infra.tasks.queries.changes import Owner, Poll, TaskChanges
from waybill.timing import backoff

log = logging.getLogger(__name__)

#: A page needs one, and a browser opens six connections to a host. The rest is for programs.
MAX_STREAMS_PER_USER = 20
#: Short enough for people to perceive as immediate, at a cost of two short statements a second.
_INTERVAL_SECONDS = 0.5
#: Longest pause during an outage, and so the longest delay after the database is back.
_LONGEST_PAUSE_SECONDS = 5.0
#: New streams served by one poll, so that many at once do not delay the others.
_BEGIN_AT_ONCE = 20


class EventHub:
    """The open streams of this process and their poller. Belongs to one event loop."""

    def __init__(
        self,
        changes: TaskChanges,
        stopping: asyncio.Event,
        *,
        most_streams: int | None = None,
        count: StreamCount | None = None,
    ) -> None:
        """`most_streams` bounds the streams of all users together; None for no bound.

        `count` is this process's place among those that share its socket.
        """
        self._changes = changes
        self._stopping = stopping
        self._most_streams = most_streams
        self._count = count or StreamCount.of_processes(1)[0]
        self._count.set(0)
        self._streams: dict[Owner, list[Stream]] = {}
        self._beginning: deque[Stream] = deque()
        self._arrival = asyncio.Event()
        self._last: Poll | None = None
        self._jobs: list[asyncio.Task[None]] = []

    @property
    def open_streams(self) -> int:
        """How many streams are open in this process."""
        return sum(map(len, list(self._streams.values())))

    @property
    def open_streams_of_all(self) -> int:
        """How many are open in this process and in those that share its socket."""
        return self._count.total()

    @contextmanager
    def opened(self, stream: Stream) -> Iterator[None]:
        """Feed `stream` while the block runs.

        Raises:
            TooManyStreams: its owner already has `MAX_STREAMS_PER_USER` in this process, or all
                users together have as many as it bears.
        """
        if self._most_streams is not None and self.open_streams >= self._most_streams:
            raise TooManyStreams("This server has too many open event streams. Try again later.")
        mine = self._streams.setdefault(stream.owner, [])
        if len(mine) >= MAX_STREAMS_PER_USER:
            raise TooManyStreams
        mine.append(stream)
        self._beginning.append(stream)
        self._arrival.set()
        self._count.set(self.open_streams)
        if self._stopping.is_set():
            stream.close()
        elif not self._jobs:
            self._jobs = [
                asyncio.create_task(self._run(), name="task changes"),
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
            self._count.set(self.open_streams)

    async def close(self) -> None:
        """End all streams and the poller."""
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
        # The server waits for open responses before it ends the application.
        await self._stopping.wait()
        self._close_streams()

    async def _run(self) -> None:
        failures = 0
        while self._streams:
            try:
                await self._poll()
            except Exception as error:
                if not failures:
                    _report(error)
                failures += 1
                pause = backoff(
                    failures,
                    first=2 * _INTERVAL_SECONDS,
                    longest=_LONGEST_PAUSE_SECONDS,
                    jitter=0.0,
                )
                await asyncio.sleep(pause)
                continue
            if failures:
                log.info("event streams go on")
                failures = 0
            if not self._beginning:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_INTERVAL_SECONDS):
                        await self._arrival.wait()
        # No stream is left to miss changes, and a new one starts with the current state.
        self._last = None
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            if job is not asyncio.current_task():
                job.cancel()

    async def _poll(self) -> None:
        """Poll once and pass the changes on. A failed read passes none on and loses none."""
        self._arrival.clear()
        beginning = list(self._beginning)[:_BEGIN_AT_ONCE]
        poll, changes, states = await asyncio.to_thread(
            self._read, self._last, frozenset(self._streams), beginning
        )
        self._last = poll
        for owner, message in changes:
            for stream in self._streams.get(owner, ()):
                if stream.begun:
                    stream.put(message)
        for stream, state, messages in zip(beginning, poll.states, states, strict=True):
            # It may have been closed meanwhile.
            if stream in self._beginning:
                self._beginning.remove(stream)
                stream.begin(state, messages)
        for streams in self._streams.values():
            for stream in streams:
                if stream.begun:
                    stream.position = poll.position

    def _read(
        self, last: Poll | None, watched: frozenset[Owner], beginning: Sequence[Stream]
    ) -> tuple[Poll, list[tuple[Owner, Message]], list[list[Message]]]:
        """Runs in a thread. Only here is a database connection held."""
        poll = self._changes.poll(last, watched, [stream.query for stream in beginning])
        now = datetime.now(UTC)
        return (
            poll,
            [(change.owner, message_of(change, now)) for change in poll.changes],
            [[message_of(change, now) for change in state.changes] for state in poll.states],
        )


class EventStream(StreamingResponse):
    """The response that sends a stream. The stream counts as open while it is being sent.

    The framework's own `EventSourceResponse` accepts only generators. They run after the response
    has started, so they cannot refuse a request. It also runs two more tasks for each stream.
    """

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, stream: Stream) -> None:
        # Buffering proxies would delay events until their buffer is full.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(stream.frames(), headers=headers)
        self._hub = hub
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Errors before the first byte become problem documents."""
        with self._hub.opened(self._stream):
            await super().__call__(scope, receive, send)


def _report(error: Exception) -> None:
    """Log an outage once. For a database error the type is enough; others need the traceback."""
    if isinstance(error, SQLAlchemyError):
        log.warning("event streams pause", extra={"why": type(error).__name__})
    else:
        log.error("event streams pause", exc_info=error)
