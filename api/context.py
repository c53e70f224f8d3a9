"""The application context that routes depend on: one `Context` per application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from waybill.api.events.hub import EventHub
from waybill.api.health.figures import Figures
from waybill.api.health.readiness import Readiness
from waybill.api.http.cursors import Cursors
from waybill.api.session.oidc.provider import Provider
from waybill.api.session.tokens import TokenVerifier
from waybill.infra.services import Services
from waybill.infra.sessions.denylist import Denylist


@dataclass(frozen=True, slots=True)
class Context:
    """The services, and the API's own objects that live as long as the process."""

    services: Services
    verifier: TokenVerifier
    denylist: Denylist
    cursors: Cursors
    readiness: Readiness
    figures: Figures
    events: EventHub
    #: The address of the pages' scripts and styles.
    static_address: str
    #: The identity provider that people log in at, if there is one.
    oidc: Provider | None = None


async def context_of(request: Request) -> Context:
    """The context of the application that serves `request`."""
    context: Context = request.app.state.context
    return context


async def _services_of(request: Request) -> Services:
    return (await context_of(request)).services


ContextDep = Annotated[Context, Depends(context_of)]
ServicesDep = Annotated[Services, Depends(_services_of)]
