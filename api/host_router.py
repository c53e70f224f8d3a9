"""Waybill as a router of a FastAPI application, for hosts that include routers and do not mount."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from waybill.api.http.prefix import without
from waybill.api.session.host_login import METHODS


def router_to(application: ASGIApp) -> APIRouter:
    """A router that passes every request below its prefix on to `application`.

    It is a route as the host's own are, so the dependencies of ``include_router`` are asked before
    each request; a mount would pass them over. They must not read the body.
    """
    router = APIRouter(include_in_schema=False)

    async def pass_on(request: Request) -> Response:
        return _Answer(application, request.path_params["path"])

    router.add_api_route("/{path:path}", pass_on, methods=METHODS)
    return router


class _Answer(Response):
    """The answer of an application to the request that is being handled."""

    def __init__(self, application: ASGIApp, path: str) -> None:
        super().__init__()
        self._application, self._path = application, f"/{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root, whole = scope.get("root_path", ""), scope["path"]
        # Servers put the path of the host in front, and hosts with a `root_path` do not.
        prefix = root + without(root, whole).removesuffix(self._path)
        below = {"root_path": prefix, "path": prefix + self._path, "app_root_path": root}
        await self._application({**scope, **below}, receive, send)
