"""The address that a connection comes from, before a header of a proxy says another one."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

#: Under a name of ours in the scope, where no header of a request can get.
_KEY = "waybill.peer"


def peer_of(scope: Scope) -> str | None:
    """The address of the other end of the connection; None where `NotedPeer` has not noted it."""
    peer: str | None = scope.get(_KEY)
    return peer


class NotedPeer:
    """Notes it. The outermost application of a server: what is inside may rewrite `client`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        client = scope.get("client")
        await self._app({**scope, _KEY: client[0] if client else None}, receive, send)
