"""The ASGI application: routes, error handling and middleware put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute

import waybill
from waybill.api.admin import pages as admin_pages
from waybill.api.admin import pause_routes
from waybill.api.admin import routes as admin
from waybill.api.approvals import routes as approvals
from waybill.api.context import Context
from waybill.api.datasets import preview_routes
from waybill.api.datasets import routes as datasets
from waybill.api.embed import routes as embed
from waybill.api.embed.cors import EmbedCors
from waybill.api.estimates import routes as estimates
from waybill.api.events import routes as events
from waybill.api.events.hub import EventHub
from waybill.api.events.stream_count import StreamCount
from waybill.api.exports import routes as exports
from waybill.api.exports.view import TASKS_PATH
from waybill.api.health import routes as health
from waybill.api.health.figures import Figures
from waybill.api.health.readiness import Readiness
from waybill.api.http.admission import PATIENCE, Lanes
from waybill.api.http.cursors import Cursors
from waybill.api.http.middleware import BodyLimit, Envelope
from waybill.api.http.prefix import PathPrefix, prefix_of
from waybill.api.http.traced import telemetry
from waybill.api.links import routes as links
from waybill.api.notices import opt_outs
from waybill.api.notices import routes as notices
from waybill.api.pages import routes as pages
from waybill.api.pages.static_files import mount_static
from waybill.api.problems.answers import answer_problem
from waybill.api.problems.documents import document_caller_problems, problem_schemas
from waybill.api.problems.handler import handle_errors
from waybill.api.reference import routes as reference
from waybill.api.reference.descriptions import add_descriptions
from waybill.api.reference.examples import add_examples
from waybill.api.reference.problem_examples import add_format_examples, add_problem_examples
from waybill.api.saved_exports import routes as saved_exports
from waybill.api.schedules import routes as schedules
from waybill.api.session import everywhere
from waybill.api.session import routes as session
from waybill.api.session.auth import identity_of
from waybill.api.session.oidc import routes as oidc
from waybill.api.session.oidc.provider import Provider
from waybill.api.session.proxy_login import ProxyLogin
from waybill.api.session.tokens import TokenVerifier
from waybill.infra.config.errors import BadSettings
from waybill.infra.services import Services
from waybill.infra.sessions.denylist import Denylist

_DESCRIPTION = """\
Submit an export, follow its progress, and download the file through a signed link. The bytes of a
file never pass through this API. Errors are `application/problem+json` with a stable `code`.
"""


_ROUTES = (
    # First: the routes of one task would take `/events` for a task's id.
    events,
    estimates,
    exports,
    links,
    approvals,
    saved_exports,
    schedules,
    notices,
    opt_outs,
    datasets,
    preview_routes,
    admin,
    pause_routes,
    health,
    session,
    everywhere,
    oidc,
    pages,
    reference,
    embed,
    admin_pages,
)


#: Beyond the slots of all lanes.
_OTHER_THREADS = 4


class _Application(FastAPI):
    """An application whose OpenAPI document includes problems and examples."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["components"]["schemas"].update(problem_schemas())
        add_examples(document)
        document_caller_problems(document)
        add_descriptions(document)
        add_problem_examples(document)
        add_format_examples(document, TASKS_PATH)
        return document


def create_app(
    services: Services,
    *,
    most_streams: int | None = None,
    figures_age: timedelta = timedelta(seconds=10),
    denylist_period: timedelta = timedelta(seconds=10),
    patience: timedelta = PATIENCE,
    stream_count: StreamCount | None = None,
    host_login: bool = False,
    owns_process: bool = True,
) -> FastAPI:
    """Build the application around `services`. Opens no connections.

    `most_streams` bounds the event streams of all users together. Figures of `/metrics` that are
    counted in the database are up to `figures_age` old, and the list of revoked tokens up to
    `denylist_period`. A request waits for its turn no longer than `patience`.
    `stream_count` is the place of this process among those that share its socket.
    With `host_login` one logs in to and out of the application that mounts this one. Without
    `owns_process` that application has threads of its own, and keeps them.

    Raises:
        BadSettings: the path of `WAYBILL_PUBLIC_URL` begins like one of our own addresses, or
            what belongs to `WAYBILL_OIDC_ISSUER` is not set.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # One for each slot; the others are for files of pages and for audit records.
        threads = sum(Lanes.SLOTS.values()) + _OTHER_THREADS
        limiter = to_thread.current_default_thread_limiter()
        limiter.total_tokens = threads + (0 if owns_process else limiter.total_tokens)
        await asyncio.to_thread(context.verifier.start)
        if context.oidc:
            await asyncio.to_thread(context.oidc.start)
        yield
        if context.oidc:
            await asyncio.to_thread(context.oidc.close)
        await asyncio.to_thread(context.verifier.close)
        await context.events.close()
        context.readiness.close()
        context.figures.close()
        if not owns_process:
            limiter.total_tokens -= threads

    app = _Application(
        title="Waybill",
        description=_DESCRIPTION,
        version=waybill.__version__,
        # Its pages load scripts from other hosts, which our content security policy forbids:
        # `waybill.api.reference` has one of our own.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        # It would build redirects from the Host header, which the caller controls.
        redirect_slashes=False,
        lifespan=lifespan,
        **telemetry(),
    )
    # A host that mounts this one logs people in itself.
    issuer = None if host_login else services.settings.oidc_issuer
    denylist = Denylist(services.revocations, period=denylist_period)
    context = app.state.context = Context(
        services=services,
        verifier=TokenVerifier(services.settings, denylist=denylist),
        denylist=denylist,
        cursors=Cursors(lambda: services.cursor_key),
        readiness=Readiness(services.checks),
        figures=Figures(services, max_age=figures_age),
        events=EventHub(
            services.changes, services.stopping, most_streams=most_streams, count=stream_count
        ),
        static_address=mount_static(app),
        oidc=Provider(services.settings, issuer) if issuer else None,
    )
    app.state.authenticate = partial(identity_of, context=context)
    app.state.lanes = Lanes(patience)
    app.state.has_host_login = host_login
    handle_errors(app)
    for module in _ROUTES:
        app.include_router(module.router)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, answer=answer_problem)
    app.add_middleware(Envelope, answer=answer_problem, public_url=services.settings.public_url)
    if origins := services.settings.embedding_origins:
        app.add_middleware(EmbedCors, origins=origins)
    if services.settings.proxy_networks:
        if not owns_process:
            raise BadSettings(
                "WAYBILL_TRUSTED_PROXY_NETWORKS is for `waybill serve`. The application that "
                "mounts Waybill reads such headers itself, in get_principal."
            )
        app.add_middleware(ProxyLogin, settings=services.settings)
    app.add_middleware(PathPrefix, prefix=_checked_prefix(app, services.settings.public_url))
    return app


def _operation_id(route: APIRoute) -> str:
    """A short name for clients that are generated: `listTasks`, `adminListTasks`."""
    words = [*(["admin"] if "admin" in route.tags else []), *route.name.split("_")]
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _checked_prefix(app: FastAPI, public_url: str | None) -> str:
    """The path prefix, unless it cannot be told from the addresses behind it."""
    prefix = prefix_of(public_url)
    first = prefix.split("/")[:2]
    routes = [*app.routes, *(route for module in _ROUTES for route in module.router.routes)]
    if prefix and any(getattr(route, "path", "").split("/")[:2] == first for route in routes):
        raise BadSettings(
            f"WAYBILL_PUBLIC_URL: {'/'.join(first)} is an address of Waybill's own. "
            "Use another path, such as /waybill."
        )
    return prefix
