"""Waybill as a part of another ASGI application: mounted under a path, with the host's login."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from waybill.api.app import create_app as build_app
from waybill.api.background import join, relay_until, stopped_by_signals, watched
from waybill.api.host_router import router_to
from waybill.api.http.prefix import whole_path
from waybill.api.saved_exports.requests import prepare_of
from waybill.api.session.host_login import GetPrincipal, HostLogin
from waybill.exporter.datasets.dataset import Registry
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.config.weak_secrets import refuse_weak_secrets

log = logging.getLogger(__name__)


def create_app(
    *,
    get_principal: GetPrincipal | None = None,
    registry: Registry | None = None,
    worker: bool | None = None,
    **settings: Any,
) -> MountedWaybill:
    """Waybill as an ASGI application, to mount in another one; see `MountedWaybill`.

    `get_principal` is a dependency of the host, sync or async, with any parameters that FastAPI
    resolves. It returns a `Principal`, or None for a caller who may still have a token of
    Waybill's; what it raises is handled as in a route of the host. It cannot read the body.
    Without it callers log in as the settings say.

    `registry` replaces the datasets of `WAYBILL_DATASETS`. The `worker` runs in this process if it
    is True, or if it is None and there is no broker, as in `waybill serve`. `settings` replace
    those of the environment, by their names in lower case: ``database_url="postgresql://…"``.

    Opens no connection. The trap: a host does not run the start-up of what it mounts, so pass
    `MountedWaybill.lifespan` to it.

    Raises:
        BadSettings: one line that names the setting and what is wrong.
    """
    return MountedWaybill(get_principal, registry, worker, settings)


class MountedWaybill:
    """An ASGI application that answers while `lifespan` runs.

    ::

        exports = waybill.create_app(get_principal=current_user)
        app = FastAPI(lifespan=exports.lifespan)
        app.mount("/exports", exports)

    Several may run in one process, each with settings of its own.
    """

    def __init__(
        self,
        get_principal: GetPrincipal | None,
        registry: Registry | None,
        worker: bool | None,
        settings: dict[str, Any],
    ) -> None:
        self._settings = load(**settings)
        refuse_weak_secrets(self._settings, None)
        self._get_principal = get_principal
        self._registry = registry
        self._worker = self._settings.amqp_url is None if worker is None else worker
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request.

        Raises:
            RuntimeError: `lifespan` does not run.
        """
        if self._app is None:
            raise RuntimeError(
                "Waybill has not been started. Pass its lifespan to the application that mounts it:"
                " FastAPI(lifespan=exports.lifespan)"
            )
        await self._app(whole_path(scope), receive, send)

    @property
    def router(self) -> APIRouter:
        """The same as a router, for ``app.include_router(exports.router, prefix="/exports")``.

        Dependencies of the host's router are asked before each request, static files included.
        """
        return router_to(self)

    @asynccontextmanager
    async def lifespan(self, _host: object = None) -> AsyncIterator[None]:
        """Prepare tables and bucket, and serve while the block runs.

        At SIGTERM and Ctrl-C event streams end at once, so that the host's server can end, too.
        """
        stop = asyncio.Event()
        with Stack(self._settings, registry=self._registry) as stack, stopped_by_signals(stop):
            await asyncio.to_thread(stack.prepare)
            broker = stack.broker()
            relay = stack.relay(broker)
            services = stack.services(relay.wake, stop, broker=broker)
            login = self._get_principal
            app = build_app(services, host_login=login is not None, owns_process=False)
            # A Starlette application, so that its lifespan can be run from here.
            async with app.router.lifespan_context(app):
                if self._worker:
                    job = stack.worker(broker, relay, prepare=prepare_of(services)).run(stop)
                else:
                    job = relay_until(stop, relay.run())
                running = asyncio.create_task(job, name="waybill")
                running.add_done_callback(_report_end)
                async with watched(broker):
                    self._app = HostLogin(app, login) if login else app
                    try:
                        yield
                    finally:
                        self._app = None
                        stop.set()
                        await join([running])


def _report_end(job: asyncio.Task[Any]) -> None:
    """Say at once that exports no longer run; the host goes on, and asks at its own end only."""
    if not job.cancelled() and (error := job.exception()):
        log.error("the worker has ended", exc_info=error, extra={"alert": True})
