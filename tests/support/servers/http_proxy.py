"""A reverse proxy as people put before Waybill: strips a prefix, rewrites `Host`, holds streams.

It runs in the event loop of its server; its switches are plain values that any thread may set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from tests.support.servers.task_api import NO_TLS, serve

#: Of one connection only, or set by the server on each side.
_OWN_HEADERS = {b"connection", b"transfer-encoding", b"date", b"server"}


@dataclass
class HttpProxy:
    """An ASGI application that forwards each request to `target`."""

    target: str
    #: Stripped from the path; requests elsewhere are not found, as in a host that is shared.
    prefix: str = ""
    #: Sent as `Host` in place of the browser's, as `proxy_pass` alone does.
    host: str | None = None
    #: Pass on the headers of event streams, and hold back their bodies.
    hold_streams: bool = False
    #: Where browsers find it.
    url: str = ""
    _lost: int = 0

    def lose_streams(self) -> None:
        """Go silent on the streams that are open now. Later ones work."""
        self._lost += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request."""
        request = Request(scope, receive)
        path = scope["path"]
        if not path.startswith(self.prefix + "/"):
            await Response("elsewhere", 404)(scope, receive, send)
            return
        headers = [item for item in request.headers.raw if item[0] not in (b"host", *_OWN_HEADERS)]
        headers.append((b"host", (self.host or request.headers["host"]).encode()))
        query = f"?{request.url.query}" if request.url.query else ""
        async with httpx2.AsyncClient(timeout=None, verify=NO_TLS) as client:
            forwarded = client.build_request(
                request.method,
                self.target + path.removeprefix(self.prefix) + query,
                headers=headers,
                content=await request.body(),
            )
            answer = await client.send(forwarded, stream=True)
            response = StreamingResponse(self._body(answer), answer.status_code)
            response.raw_headers = [
                item for item in answer.headers.raw if item[0].lower() not in _OWN_HEADERS
            ]
            await response(scope, receive, send)

    async def _body(self, answer: httpx2.Response) -> AsyncIterator[bytes]:
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        lost_before = self._lost
        try:
            async for chunk in answer.aiter_raw():
                if not (is_stream and (self.hold_streams or self._lost > lost_before)):
                    yield chunk
        finally:
            # The browser may be gone first, and the server about to end.
            with anyio.CancelScope(shield=True):
                await answer.aclose()


@contextmanager
def proxied(target: str, *, prefix: str = "", host: str | None = None) -> Iterator[HttpProxy]:
    """A proxy before `target`, on a port of its own."""
    proxy = HttpProxy(target, prefix, host)
    with serve(Starlette(routes=[Mount("/", app=proxy)])) as url:
        proxy.url = url
        yield proxy
