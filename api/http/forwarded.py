"""What a trusted proxy says of a request: client, scheme, and the path prefix that it strips."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

#: The same as in WAYBILL_PUBLIC_URL: it becomes a part of every address on the page.
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+){1,16}")
_HEADER = b"x-forwarded-prefix"


class ForwardedRequest(ProxyHeadersMiddleware):
    """uvicorn's middleware, and ``X-Forwarded-Prefix``, from the same proxies and no others.

    A prefix that is sent twice, or is no plain path, is passed over.
    """

    def __init__(self, app: ASGIApp, trusted_hosts: str) -> None:
        """`trusted_hosts` are addresses and networks, separated by commas, or ``*``."""
        super().__init__(app, trusted_hosts)  # type: ignore[arg-type]  # the same, by other names

    async def __call__(  # type: ignore[override]  # the same, by other names
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Handle one request."""
        peer = scope.get("client")
        if scope["type"] == "http" and peer and peer[0] in self.trusted_hosts:
            sent = [value for name, value in scope["headers"] if name == _HEADER]
            prefix = sent[0].decode("latin1").rstrip("/") if len(sent) == 1 else ""
            if _PREFIX.fullmatch(prefix):
                scope["root_path"] = scope.get("root_path", "") + prefix
        await super().__call__(scope, receive, send)  # type: ignore[arg-type]
