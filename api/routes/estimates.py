"""``/api/export-tasks/estimate``: what an export would come to."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Caller
from api.context import ServicesDep
from api.estimate_schemas import Estimate
from api.estimates import estimate_export
from api.problems import problem_docs
from api.schemas import ExportRequest
from api.strict_json import StrictRoute

router = APIRouter(prefix="/api/export-tasks", tags=["export tasks"], route_class=StrictRoute)


@router.post(
    "/estimate",
    response_model=Estimate,
    responses=problem_docs(400, 401, 403, 413, 415, 422, 503),
)
def estimate(body: ExportRequest, user: Caller, services: ServicesDep) -> Estimate:
    """What this request would come to, if it were submitted. Stores nothing."""
    return estimate_export(services, user, body)
