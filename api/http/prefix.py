"""Path prefix: the application under ``/waybill`` or another path of a host that it shares."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def prefix_of(public_url: str | None) -> str:
    """The path of the public address, such as ``/waybill``; empty for a whole host."""
    return urlsplit(public_url or "").path.rstrip("/")


def prefix_in(request: Request) -> str:
    """The prefix of every address that a browser is given; see `PathPrefix`."""
    prefix: str = request.scope.get("root_path", "")
    return prefix


class PathPrefix:
    """Serves the application under `prefix`, or under the path at which another one mounts it.

    A proxy may pass the prefix on or strip it. Routes see addresses without it, and give
    ``Location`` without it: it is added here. Pages and cookies add `prefix_in` themselves.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        mounted_at = scope.get("root_path", "").rstrip("/")
        prefix = self._prefix or mounted_at
        if scope["type"] != "http" or not prefix:
            await self._app(scope, receive, send)
            return
        path = without(self._prefix, without(mounted_at, scope["path"]))

        async def send_prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                location = headers.get("location", "")
                if location.startswith("/"):
                    headers["location"] = prefix + location
            await send(message)

        inner = {**scope, "root_path": prefix, "path": prefix + path}
        await self._app(inner, receive, send_prefixed)


def whole_path(scope: Scope) -> Scope:
    """`scope` with the path as routes expect it, which begins with `root_path`.

    A host that was told its own path, as by ``FastAPI(root_path="/shop")``, mounts Waybill under
    ``/shop/exports`` and leaves ``/exports/…`` in the request.
    """
    root, path = scope.get("root_path", ""), scope["path"]
    host = scope.get("app_root_path", "")
    if not host or path == root or path.startswith(root + "/"):
        return scope
    return {**scope, "path": host + path}


def without(prefix: str, path: str) -> str:
    """`path` after `prefix`; as it is where it does not begin with it."""
    if path == prefix:
        return "/"
    return path.removeprefix(prefix) if path.startswith(prefix + "/") else path


def path_within(scope: Scope) -> str:
    """The path of a request without the prefix, as routes see it."""
    path: str = scope["path"]
    return without(scope.get("root_path", "").rstrip("/"), path)
