"""Cross-origin requests: which of them the pages of `WAYBILL_EMBED_ORIGINS` may make.

They may start an export, follow it, and get its link: what `<waybill-export>` does. Everything else
stays closed to other origins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from waybill.api.http.prefix import path_within

SCRIPT_PATH = "/embed/waybill-export.js"
_START = "/api/export-tasks"
_READ = re.compile(rf"{_START}/[0-9a-f-]{{36}}(/download)?|{re.escape(SCRIPT_PATH)}")
_SENT = ["Authorization", "Content-Type", "Accept-Language", "Idempotency-Key", "Prefer"]
_SHOWN = ["Location", "Retry-After", "Preference-Applied", "X-Request-Id"]


class EmbedCors:
    """Answers preflights of `origins`, and lets them read answers; nobody else's.

    Never a wildcard: the session cookie may come along.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        with_cors = partial(
            CORSMiddleware,
            app,
            allow_origins=origins,
            allow_credentials=True,
            allow_headers=_SENT,
            expose_headers=_SHOWN,
        )
        self._start = with_cors(allow_methods=["POST"])
        self._read = with_cors(allow_methods=["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        app: ASGIApp = self._app
        if scope["type"] == "http":
            path = path_within(scope)
            if path == _START and scope["method"] in ("POST", "OPTIONS"):
                app = self._start
            elif _READ.fullmatch(path) and scope["method"] in ("GET", "OPTIONS"):
                app = self._read
        await app(scope, receive, send)


def starts_export(method: str, path: str) -> bool:
    """Whether a request is the one that pages of other origins may change something with."""
    return method == "POST" and path == _START
