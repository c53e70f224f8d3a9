"""``/healthz``, ``/readyz`` and ``/metrics``: health checks and Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from waybill.api.context import ContextDep
from waybill.api.health.access import ScraperOnly
from waybill.api.health.schemas import Health
from waybill.api.problems.documents import problem_docs

router = APIRouter(tags=["operations"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_model=Health)
async def live() -> Health:
    """Liveness: this process answers."""
    return Health(status="ok")


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
    responses=problem_docs(401, 503),
)
async def metrics(context: ContextDep, _scraper: ScraperOnly) -> Response:
    """Metrics in the Prometheus text format; counts in the database are up to 10 s old.

    Open to programs on the machine of the API; to others with the token of the operator's setting
    `WAYBILL_METRICS_TOKEN`, and to nobody without it once there is one.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(await context.figures.ask(), context.events.open_streams_of_all))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Families(Collector):
    """Families that have been counted, and the figures of this process."""

    def __init__(self, counted: list[GaugeMetricFamily], open_streams: int) -> None:
        self._counted = counted
        self._open_streams = open_streams

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._counted
        yield GaugeMetricFamily(
            "waybill_event_streams",
            "Event streams open in this process and in those that share its socket.",
            value=self._open_streams,
        )
