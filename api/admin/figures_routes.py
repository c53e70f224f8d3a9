"""``/api/admin``: queues, leases, and the last 24 hours."""

from __future__ import annotations

from fastapi import APIRouter

from waybill.api.admin.routes import Admin
from waybill.api.admin.schemas import HourList, LeaseList, QueueList
from waybill.api.context import ServicesDep
from waybill.api.http.strict_json import StrictRoute
from waybill.api.problems.documents import problem_docs

router = APIRouter(
    prefix="/api/admin",
    tags=["admin"],
    route_class=StrictRoute,
    responses=problem_docs(401, 403),
)


@router.get("/queues", response_model=QueueList)
def list_queues(admin: Admin, services: ServicesDep) -> QueueList:
    """What waits, since when, and what runs, by queue and type."""
    return QueueList(items=services.oversight.queues())


@router.get("/leases", response_model=LeaseList)
def list_leases(admin: Admin, services: ServicesDep) -> LeaseList:
    """Which worker has which task in hand, and until when."""
    return LeaseList(items=services.oversight.leases())


@router.get("/statistics", response_model=HourList)
def read_statistics(admin: Admin, services: ServicesDep) -> HourList:
    """How exports ended in each of the last 24 hours, and how long they took."""
    return HourList(items=services.oversight.hours())
