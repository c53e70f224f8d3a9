"""``/healthz``, ``/readyz`` and ``/metrics``: health checks and Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from waybill.api.context import Context, ContextDep
from waybill.api.health.schemas import Health

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
@router.get("/metrics", response_class=Response)
def metrics(context: ContextDep) -> Response:
    """Metrics in the Prometheus text format, read from the database on each request."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(context))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Metrics(Collector):
    """Counts over all tenants. No label holds a tenant or a user."""

    def __init__(self, context: Context) -> None:
        self._services = context.services
        self._events = context.events

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("waybill_tasks", "Export tasks by status.", labels=["status"])
        for status, count in self._services.requests.count_by_status().items():
            family.add_metric([status], count)
        yield family
        yield GaugeMetricFamily(
            "waybill_dead_letters",
            "Dead letters to be handled; alert on more than 0.",
            value=self._services.dead_letters.count_open(),
        )
        yield GaugeMetricFamily(
            "waybill_event_streams",
            "Event streams open in this process.",
            value=self._events.open_streams,
        )
        deliveries = GaugeMetricFamily(
            "waybill_notifications",
            "Recorded webhook and mail deliveries by result; alert on given_up.",
            labels=["channel", "result"],
        )
        for labels, count in self._services.notifications.count_by_result().items():
            deliveries.add_metric(labels, count)
        yield deliveries
