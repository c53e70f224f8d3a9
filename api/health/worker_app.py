"""What a worker answers at an address of its own: ``/healthz`` and ``/metrics``."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waybill.api.health.access import check_scraper
from waybill.api.health.schemas import Liveness
from waybill.api.problems.documents import problem_response
from waybill.api.problems.errors import Unauthenticated
from waybill.infra.config.settings import Settings
from waybill.infra.metrics.recording import exposition


def worker_app(settings: Settings) -> Starlette:
    """The application. It asks neither database nor store: an outage of those ends no worker."""

    async def live(_request: Request) -> Response:
        return JSONResponse(Liveness().model_dump())

    async def metrics(request: Request) -> Response:
        check_scraper(request, settings.metrics_token)
        return Response(exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[Route("/healthz", live), Route("/metrics", metrics)],
        exception_handlers={Unauthenticated: _refused},
    )


async def _refused(_request: Request, error: Exception) -> Response:
    return problem_response(
        secrets.token_hex(8), HTTPStatus.UNAUTHORIZED, Unauthenticated.code, str(error)
    )
