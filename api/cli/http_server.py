"""The HTTP server of `waybill serve`: no more connections than it bears, none half-sent for long.

uvicorn has no limit on the time that a request may take to arrive. Without one, a few hundred
connections that never finish a header leave no descriptor for anybody else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from waybill.api.http.forwarded import ForwardedRequest
from waybill.api.http.peer import NotedPeer
from waybill.api.problems.documents import problem_response
from waybill.api.problems.statuses import OTHER_PROBLEMS

log = logging.getLogger(__name__)

#: Connections that the kernel holds until they are accepted.
BACKLOG = 128
#: asyncio accepts a backlog in one turn, and a connection that is too many is closed three turns
#: after that: one to make its transport, one to hear of it, one to close it.
_TURNS = 4
#: More idle connections than one process can serve well, however many descriptors it has.
_MOST_CONNECTIONS = 10_000
#: The proxies that are believed, unless uvicorn's own variable names others.
_TRUSTED_PROXY = "127.0.0.1"
#: For the database, the store, the broker, webhooks and files.
_OTHER_DESCRIPTORS = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process accepts. Seconds are those in which a header, and then a body, arrives."""

    connections: int = _MOST_CONNECTIONS
    backlog: int = BACKLOG
    header_seconds: float = 10.0
    body_seconds: float = 30.0

    @property
    def streams(self) -> int:
        """How many connections event streams may take: half, so that requests have the others."""
        return max(1, self.connections // 2)

    @classmethod
    def within(cls, descriptors: int) -> Bounds:
        """Bounds for a process that may have this number of files and sockets open.

        What has been accepted and not been closed again is taken off: several backlogs.
        """
        backlog = min(BACKLOG, descriptors // (4 * _TURNS))
        room = max(descriptors - _TURNS * backlog - _OTHER_DESCRIPTORS, descriptors // 4)
        return cls(connections=min(room, _MOST_CONNECTIONS), backlog=backlog)


def server_config(app: ASGIApp, bounds: Bounds) -> uvicorn.Config:
    """The configuration of a server for `app` that keeps to `bounds`."""
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", _TRUSTED_PROXY)
    return uvicorn.Config(
        NotedPeer(ForwardedRequest(app, trusted)),
        # That does it, and knows a header more.
        proxy_headers=False,
        http=partial(BoundedProtocol, limits=_Limits(bounds)),  # type: ignore[arg-type]  # makes one
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        backlog=bounds.backlog,
        timeout_graceful_shutdown=5,
    )


class QuietServer(uvicorn.Server):
    """Leaves signals to its caller.

    uvicorn raises the signals it caught again when it has ended. A caller that ends at the second
    signal would take that for one, and die with exports running and its S3 server left behind.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@dataclass(slots=True)
class _Limits:
    """The bounds of a process, and its connections that wait for a header, longest first."""

    bounds: Bounds
    waiting: dict[BoundedProtocol, None] = field(default_factory=dict)


class BoundedProtocol(H11Protocol):
    """A connection that is closed when a request takes too long to arrive, or to make room.

    When there are too many, the one that has waited longest for a header goes: it is idle, or sends
    a header a byte at a time. Those whose request is being answered are left alone.
    """

    def __init__(self, *arguments: Any, limits: _Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited: type[h11.IDLE] | type[h11.SEND_BODY] | None = None

    def connection_made(  # type: ignore[override]  # as in uvicorn
        self, transport: asyncio.Transport
    ) -> None:
        """Accept a connection."""
        super().connection_made(transport)
        self._await_rest()
        if len(self.connections) > self._limits.bounds.connections:
            log.warning("connection limit reached", extra={"limit": len(self.connections) - 1})
            next(iter(self._limits.waiting), self)._drop()

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        super().data_received(data)
        self._await_rest()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._await_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._await(None)
        super().connection_lost(exc)

    def _await_rest(self) -> None:
        state = self.conn.their_state
        closing = self.transport.is_closing()
        self._await(state if state in (h11.IDLE, h11.SEND_BODY) and not closing else None)

    def _await(self, part: type[h11.IDLE] | type[h11.SEND_BODY] | None) -> None:
        """Start the clock when something else is awaited than before."""
        if part is self._awaited:
            return
        self._awaited = part
        self._limits.waiting.pop(self, None)
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        if part is h11.IDLE:
            self._limits.waiting[self] = None
            self._deadline = self.loop.call_later(self._limits.bounds.header_seconds, self._late)
        elif part is h11.SEND_BODY:
            self._deadline = self.loop.call_later(self._limits.bounds.body_seconds, self._late)

    def _late(self) -> None:
        if self.transport.is_closing():
            return
        unanswered = self.cycle is None or self.cycle.response_complete
        if self._awaited is h11.SEND_BODY:
            unanswered = not self.cycle.response_started
        # An idle connection has asked for nothing.
        if unanswered and (self._awaited is h11.SEND_BODY or self.conn.trailing_data[0]):
            self.transport.write(_timeout_answer())
        self._await(None)
        self.transport.close()

    def _drop(self) -> None:
        self._await(None)
        self.transport.abort()


def _timeout_answer() -> bytes:
    problem = OTHER_PROBLEMS["request_timeout"]
    response = problem_response(
        secrets.token_hex(8), problem.status, "request_timeout", problem.detail
    )
    lines = [f"HTTP/1.1 {HTTPStatus.REQUEST_TIMEOUT} {HTTPStatus.REQUEST_TIMEOUT.phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*lines, b"connection: close", b"", bytes(response.body)])
