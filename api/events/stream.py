"""One event stream: its unsent events, their format on the wire, and when the stream ends."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool

from waybill.api.events.schemas import Heartbeat
from waybill.api.exports.view import body_of
from waybill.api.languages import DEFAULT, LANGUAGES, Language
from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.tokens import Identity, TokenVerifier
from waybill.infra.sessions.denylist import RevocationsUnread
from waybill.infra.tasks.queries.changes import Change, Owner, State, StateQuery
from waybill.infra.tasks.states import LIVE

#: Proxies close a connection that is silent for a minute, and some after 30 seconds.
HEARTBEAT = timedelta(seconds=15)
#: When browsers reconnect after a broken connection: not all in the same second.
_RECONNECT_MS = (2_000, 5_000)
#: More often is useless: `PyJWKClient` itself reads the trusted keys only every five minutes.
_VERIFY_EVERY = timedelta(minutes=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Message:
    """An event, rendered once in each language for all streams that send it."""

    kind: str
    data: Mapping[Language, str]
    task_id: UUID | None = None
    version: int = 0
    #: The task has reached a final state. Only its file may still expire.
    final: bool = False


def message_of(change: Change, now: datetime) -> Message:
    """The event for `change`. A task has the form of `GET /{id}`, without its recorded link."""
    task = change.task
    if task is None:
        return Message("deleted", _same({"id": str(change.task_id)}), change.task_id, final=True)
    data = {language: body_of(task, now, language).model_dump_json() for language in LANGUAGES}
    return Message("task", data, task.id, task.version, final=task.status not in LIVE)


def _same(data: Mapping[str, str]) -> Mapping[Language, str]:
    """Data that is the same in every language."""
    return dict.fromkeys(LANGUAGES, json.dumps(data))


def position_text(position: datetime) -> str:
    """A position among the changes as an event id. It increases with the database's time."""
    return str((position - _EPOCH) // _MICROSECOND)


def position_in(event_id: str | None) -> datetime | None:
    """The position in a `Last-Event-ID`; None for an id that no stream of ours sends."""
    # Up to the year 2286. Longer ids would exceed the range of datetime.
    if event_id is None or not (event_id.isascii() and event_id.isdecimal() and len(event_id) < 17):
        return None
    return _EPOCH + int(event_id) * _MICROSECOND


class Permission:
    """Whether a stream may continue: until its token expires or is revoked, while it is trusted."""

    def __init__(
        self,
        verifier: TokenVerifier,
        identity: Identity,
        *,
        verify_every: timedelta = _VERIFY_EVERY,
    ) -> None:
        """`identity` was verified just now, and its token is again after each `verify_every`."""
        self._verifier = verifier
        self._identity = identity
        self._verify_every = verify_every.total_seconds()
        self._verified_at = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Seconds until the token's `exp`, without the leeway that requests get."""
        return (self._identity.expires_at - datetime.now(UTC)).total_seconds()

    @property
    def has_ended(self) -> bool:
        """Whether the token has expired or was revoked. Reads memory only."""
        if self.seconds_left <= 0:
            return True
        try:
            return self._verifier.is_revoked(self._identity)
        except RevocationsUnread:
            return False

    async def holds(self) -> bool:
        """Check again; cheap enough for every batch of events."""
        if self.has_ended:
            return False
        if time.monotonic() - self._verified_at < self._verify_every:
            return True
        if not self._identity.token:
            # The host of this application knows the caller, and is asked when the stream ends.
            return True
        self._verified_at = time.monotonic()
        try:
            await run_in_threadpool(self._verifier.verify_cookie, self._identity.token)
        except Unauthenticated:
            return False
        except (IdentityProviderDown, RevocationsUnread):
            # It was valid a minute ago, and it expires by itself.
            return True
        return True


class Stream:
    """The unsent events of one reader: only the latest event of each task.

    So a slow reader causes at most one waiting event for each task, and never a backlog. Call all
    methods in the event loop.
    """

    def __init__(
        self, query: StateQuery, permission: Permission, language: Language = DEFAULT
    ) -> None:
        self.query = query
        self._language = language
        #: Whether it has its initial state. Changes follow only after that.
        self.begun = False
        #: When nothing is pending, every change before this position was sent.
        self.position: datetime | None = None
        self._permission = permission
        self._pending: dict[UUID | None, Message] = {}
        self._news = asyncio.Event()
        self._closed = False

    @property
    def owner(self) -> Owner:
        """The owner whose tasks it shows."""
        return self.query.user.tenant, self.query.user.user

    def begin(self, state: State, messages: Iterable[Message]) -> None:
        """Send the initial state. Changes follow."""
        self.begun = True
        if self.query.task_id is None and state.whole:
            # First, so that the reader drops its old state before it gets the new one.
            self._pending[None] = Message("reset", _same({}))
            self._news.set()
        for message in messages:
            self.put(message)

    def put(self, message: Message) -> None:
        """Queue an event. It replaces any unsent event of the same task."""
        if self.query.task_id in (None, message.task_id):
            # At the end: the latest change is sent last.
            self._pending.pop(message.task_id, None)
            self._pending[message.task_id] = message
            self._news.set()

    def close(self) -> None:
        """End at once. The reader reconnects with the id of the last event it received."""
        self._closed = True
        self._news.set()

    async def reaches_end(self) -> bool:
        """Wait until its only task has ended; False if the stream is closed first. Sends nothing.

        It may wait for ever: give it a time limit.
        """
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            if any(message.final for message in self._pending.values()):
                return True
            self._pending.clear()
        return False

    async def frames(self) -> AsyncIterator[bytes]:
        """The bytes of the stream.

        It ends on `close`, when the token expires or is revoked, when its only task has ended, or
        when the reader disconnects (cancelled).
        """
        beat = Heartbeat(interval_seconds=HEARTBEAT.total_seconds()).model_dump_json()
        # At once, so that a client knows that nothing on the way holds the stream back.
        retry = random.randint(*_RECONNECT_MS)  # noqa: S311 - no secret
        yield format_sse_event(event="heartbeat", data_str=beat, retry=retry)
        while await self._news_or_heartbeat():
            pending, self._pending = list(self._pending.values()), {}
            position = self.position
            self._news.clear()
            if not pending:
                yield format_sse_event(event="heartbeat", data_str=beat, id=self._list_id(position))
                continue
            if not await self._permission.holds():
                return
            for message in pending[:-1]:
                yield self._frame(message, None)
            # Only with the last event has the reader everything before the position.
            yield self._frame(pending[-1], position)
            if self.query.task_id and pending[-1].final:
                return

    async def _news_or_heartbeat(self) -> bool:
        """Wait for an event or the next heartbeat; False at the end of the stream."""
        left = self._permission.seconds_left
        try:
            async with asyncio.timeout(min(HEARTBEAT.total_seconds(), max(0.0, left))):
                await self._news.wait()
        except TimeoutError:
            return not self._permission.has_ended
        return not self._closed

    def _frame(self, message: Message, position: datetime | None) -> bytes:
        event_id = str(message.version) if message.kind == "task" else None
        if self.query.task_id is None:
            event_id = self._list_id(position)
        data = message.data[self._language]
        return format_sse_event(event=message.kind, data_str=data, id=event_id)

    def _list_id(self, position: datetime | None) -> str | None:
        if self.query.task_id or position is None:
            return None
        return position_text(position)
