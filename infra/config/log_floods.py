"""A log that strangers cannot fill: lines that a flood repeats are let through once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

#: How lines begin that anybody can cause, as often as they like, without signing in.
_REPEATABLE = (
    # asyncio: no descriptor is left. Logged for each try, with a stack. (python/cpython#151615)
    "socket.accept() out of system resource",
    # uvicorn: what arrives is no HTTP, or asks for a WebSocket.
    "Invalid HTTP request received.",
    "Unsupported upgrade request.",
    "No supported WebSocket library detected.",
    # Ours, of `waybill.api.cli.http_server` and `waybill.api.session.tokens`.
    "connection limit reached",
    "token refused",
    # Of `waybill.api.problems.handler`.
    "too many requests at once",
)
_SECONDS = 60.0

#: The beginning of a line, and its reason.
_Kind = tuple[str, str | None]


class FloodFilter(logging.Filter):
    """Lets each of these lines through once a minute, without its stack.

    Lines with another reason (`why`, of which there are a few) are others. The field `not_shown`
    counts those that were held back since the last one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._shown_at: dict[_Kind, float] = {}
        self._held_back: dict[_Kind, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is to be logged."""
        text = next((text for text in _REPEATABLE if str(record.msg).startswith(text)), None)
        if text is None:
            return True
        kind = text, getattr(record, "why", None)
        now = self._clock()
        if now - self._shown_at.get(kind, -_SECONDS) < _SECONDS:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return False
        self._shown_at[kind] = now
        record.msg, record.args, record.exc_info = text, (), None
        record.not_shown = self._held_back.pop(kind, 0)
        return True
