"""``/healthz``, ``/readyz`` and ``/metrics``: health checks and Prometheus metrics."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from waybill.api.context import ContextDep
from waybill.api.health.access import ScraperOnly
from waybill.api.health.schemas import Health, Liveness
from waybill.api.problems.documents import problem_docs
from waybill.infra.metrics.catalogue import EVENT_STREAMS
from waybill.infra.metrics.recording import exposition, gauge

router = APIRouter(tags=["operations"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_model=Liveness)
async def live() -> Liveness:
    """Liveness: this process answers, and this is its version."""
    return Liveness()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    response_model=Health,
    responses={503: {"model": Health, "description": "Lists what is not ready."}},
)
async def ready(context: ContextDep, response: Response) -> Health:
    """Readiness: this process can do its work."""
    failures = await context.readiness.ask()
    if failures:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Health(status="unavailable" if failures else "ok", failures=failures)


@router.head("/metrics", include_in_schema=False)
@router.get(
    "/metrics",
    response_class=Response,
    responses=problem_docs(401),
)
async def metrics(context: ContextDep, _scraper: ScraperOnly) -> Response:
    """Metrics in the Prometheus text format; counts in the database are up to 10 s old.

    Open to programs on the machine of the API; to others with the token of the operator's setting
    `WAYBILL_METRICS_TOKEN`, and to nobody without it once there is one. While the database is away
    the answer is 200 with `waybill_database_up 0`.
    """
    streams = gauge(EVENT_STREAMS, context.events.open_streams_of_all)
    text = exposition([*await context.figures.ask(), streams])
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
