"""``/api/export-tasks/estimate``: estimates of exports."""

from __future__ import annotations

from fastapi import APIRouter

from waybill.api.context import ServicesDep
from waybill.api.estimates.schemas import Estimate
from waybill.api.estimates.service import estimate_export
from waybill.api.exports.schemas import ExportRequest
from waybill.api.http.strict_json import StrictRoute
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller


class _EstimateRoute(StrictRoute):
    lane = "sources"


router = APIRouter(prefix="/api/export-tasks", tags=["export tasks"], route_class=_EstimateRoute)


@router.post(
    "/estimate",
    response_model=Estimate,
    responses=problem_docs(400, 401, 403, 413, 415, 422, 503),
)
def estimate(body: ExportRequest, user: Caller, services: ServicesDep) -> Estimate:
    """Estimate the export that this request would start. Stores nothing."""
    return estimate_export(services, user, body)
