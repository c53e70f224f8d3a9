"""The ASGI application: routes, errors, and what surrounds them. The API's composition root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from api.context import Context
from api.cursors import Cursors
from api.error_handling import handle_errors
from api.events import EventHub
from api.examples import add_examples
from api.middleware import BodyLimit, Envelope
from api.problems import document_caller_problems, problem_schemas
from api.readiness import Readiness
from api.routes import (
    admin,
    admin_figures,
    admin_notices,
    admin_page,
    datasets,
    estimates,
    events,
    export_tasks,
    health,
    links,
    notices,
    page,
    session,
)
from api.static_files import mount_static
from api.tokens import TokenVerifier
from infra.services import Services

_DESCRIPTION = """\
Ask for an export, watch it, and download it through a signed link; the bytes of a file never
pass through this API. Errors are `application/problem+json` with a stable `code`.
"""


_ROUTES = (
    # `/events` would be a task's id to the routes of one task.
    events,
    estimates,
    export_tasks,
    links,
    notices,
    datasets,
    admin,
    admin_notices,
    admin_figures,
    health,
    session,
    page,
    admin_page,
)


class _Application(FastAPI):
    """An application whose OpenAPI document knows problems, and where, and has examples."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["components"]["schemas"].update(problem_schemas())
        add_examples(document)
        document_caller_problems(document)
        return document


def create_app(services: Services) -> FastAPI:
    """Build the application around `services`. It connects to nothing by itself."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await context.events.close()
        context.readiness.close()

    app = _Application(
        title="Waybill",
        description=_DESCRIPTION,
        version=version("waybill"),
        # Their pages load scripts from elsewhere, which our policy forbids.
        docs_url=None,
        redoc_url=None,
        # A redirect would be made from the Host header, which the caller chooses.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    context = app.state.context = Context(
        services=services,
        verifier=TokenVerifier(services.settings),
        cursors=Cursors(services.settings.signing_secret()),
        readiness=Readiness(services.checks),
        events=EventHub(services.changes, services.stopping),
        static_address=mount_static(app),
    )
    handle_errors(app)
    for module in _ROUTES:
        app.include_router(module.router)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit)
    app.add_middleware(Envelope)
    return app
