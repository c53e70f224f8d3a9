"""``/api/admin``: tasks, dead letters, the audit log, figures and deliveries in scope.

The scope is the own tenant for the admin role, and all tenants for the operator role.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from waybill.api.admin import service
from waybill.api.admin.access import AdminCaller, admin_caller
from waybill.api.admin.schemas import (
    AdminTaskBody,
    AdminTaskList,
    AuditList,
    DeadLetterList,
    Dismissal,
    HourList,
    LeaseList,
    QueueList,
    WorkerList,
)
from waybill.api.context import ServicesDep
from waybill.api.http.paging import MAX_ID, Limit, PageNumber, PlainText, RowId
from waybill.api.http.strict_json import StrictRoute
from waybill.api.http.timestamps import Timestamp
from waybill.api.notices.schemas import AdminDeliveryList, WebhookSecrets, admin_delivery_body
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller
from waybill.exporter.errors import PermissionDenied
from waybill.infra.tasks.dead_letters import DeadLetter, Replay
from waybill.infra.tasks.queries.holdings import Holdings
from waybill.infra.tasks.states import TaskStatus


def require_admin(user: Caller, services: ServicesDep) -> AdminCaller:
    """The caller, who must have the admin role or the operator role.

    Raises:
        PermissionDenied.
    """
    caller = admin_caller(services, user)
    if caller is None:
        raise PermissionDenied("This requires the admin role or the operator role.")
    return caller


Admin = Annotated[AdminCaller, Depends(require_admin)]

router = APIRouter(
    prefix="/api/admin",
    tags=["admin"],
    route_class=StrictRoute,
    responses=problem_docs(401, 403),
)
#: Of routes that take parameters, which may be wrong.
_INVALID = problem_docs(422)


@router.get("/export-tasks", response_model=AdminTaskList, responses=_INVALID)
def list_tasks(
    admin: Admin,
    services: ServicesDep,
    status: Annotated[list[TaskStatus] | None, Query()] = None,
    tenant: PlainText | None = None,
    type: PlainText | None = None,  # noqa: A002 - the contract's name of the filter
    page: PageNumber = 1,
    page_size: Limit = 50,
) -> AdminTaskList:
    """Tasks of the own tenant, or of all for an operator, newest first."""
    tasks, _ = service.list_tasks(
        services,
        admin,
        statuses=status or (),
        tenant=tenant,
        task_type=type,
        page=page,
        page_size=page_size,
    )
    return AdminTaskList(items=service.admin_bodies(tasks))


@router.get(
    "/export-tasks/{task_id}", response_model=AdminTaskBody, responses=problem_docs(404, 422)
)
def get_task(task_id: UUID, admin: Admin, services: ServicesDep) -> AdminTaskBody:
    """One task of the own tenant, or of any for an operator, without its download link."""
    return service.admin_body(service.get_task(services, admin, task_id))


@router.post(
    "/export-tasks/{task_id}/cancel",
    response_model=AdminTaskBody,
    status_code=HTTPStatus.ACCEPTED,
    responses=problem_docs(404, 409, 422),
)
def cancel_task(task_id: UUID, admin: Admin, services: ServicesDep) -> AdminTaskBody:
    """Cancel a task of somebody else. Cancelling twice is no error."""
    return service.admin_body(service.cancel_task(services, admin, task_id))


@router.post(
    "/export-tasks/{task_id}/retry",
    response_model=AdminTaskBody,
    status_code=HTTPStatus.CREATED,
    responses=problem_docs(404, 409, 422, 429, 503),
)
def retry_task(task_id: UUID, admin: Admin, services: ServicesDep) -> AdminTaskBody:
    """Run a task that ended without a file again, in its owner's name, as a new task.

    It counts against the quotas and rates of the owner.
    """
    return service.admin_body(service.retry_task(services, admin, task_id))


@router.get("/workers", response_model=WorkerList)
def list_workers(admin: Admin, services: ServicesDep) -> WorkerList:
    """Workers by their heartbeats, and who takes the exports of each queue. For operators."""
    return service.list_workers(services, admin)


@router.get("/holdings", response_model=Holdings)
def read_holdings(admin: Admin, services: ServicesDep) -> Holdings:
    """Files by tenant, the next to expire, and tables with their next cut. For operators."""
    return service.read_holdings(services, admin)


@router.get("/dead-letters", response_model=DeadLetterList, responses=_INVALID)
def list_dead_letters(
    admin: Admin,
    services: ServicesDep,
    include_handled: Annotated[
        bool, Query(alias="all", description="Include those that were replayed or dismissed.")
    ] = False,
    reason: Annotated[PlainText | None, Query(description="Exactly this reason.")] = None,
    limit: Limit = 50,
) -> DeadLetterList:
    """Messages that could not be processed, newest first. Those of no task are the operator's."""
    found = service.list_dead_letters(
        services, admin, open_only=not include_handled, reason=reason, limit=limit
    )
    return DeadLetterList(items=found)


@router.get(
    "/dead-letters/{letter_id}", response_model=DeadLetter, responses=problem_docs(404, 422)
)
def get_dead_letter(letter_id: RowId, admin: Admin, services: ServicesDep) -> DeadLetter:
    """One dead letter with its message."""
    return service.get_dead_letter(services, admin, letter_id)


@router.post(
    "/dead-letters/{letter_id}/replay",
    response_model=Replay,
    responses=problem_docs(404, 409, 422, 429, 503),
)
def replay_dead_letter(letter_id: RowId, admin: Admin, services: ServicesDep) -> Replay:
    """Submit its export again in its owner's name. Repeating the call is harmless.

    It counts against the quotas and rates of the owner. A replay that they refuse can be repeated.
    """
    return service.replay_dead_letter(services, admin, letter_id)


@router.post(
    "/dead-letters/{letter_id}/dismiss",
    response_model=DeadLetter,
    responses=problem_docs(400, 404, 413, 415, 422),
)
def dismiss_dead_letter(
    letter_id: RowId, body: Dismissal, admin: Admin, services: ServicesDep
) -> DeadLetter:
    """Record that nothing has to be done about it, and why. Repeating the call is harmless."""
    return service.dismiss_dead_letter(services, admin, letter_id, body.note)


@router.get("/audit-log", response_model=AuditList, responses=_INVALID)
def read_audit_log(
    admin: Admin,
    services: ServicesDep,
    task_id: UUID | None = None,
    tenant: PlainText | None = None,
    actor: PlainText | None = None,
    action: PlainText | None = None,
    since: Annotated[Timestamp | None, Query(description="Included.")] = None,
    until: Annotated[Timestamp | None, Query(description="Not included.")] = None,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    limit: Limit = 50,
) -> AuditList:
    """Who did what, newest first. For the complete log, export the dataset `waybill-audit`."""
    return service.read_audit_log(
        services,
        admin,
        task_id=task_id,
        tenant=tenant,
        actor=actor,
        action=action,
        since=since,
        until=until,
        before=before,
        limit=limit,
    )


@router.get("/queues", response_model=QueueList)
def list_queues(admin: Admin, services: ServicesDep) -> QueueList:
    """Waiting and running tasks by queue and type, with the age of the oldest waiting one."""
    return QueueList(items=services.admin_queries.queues(admin.scope))


@router.get("/leases", response_model=LeaseList)
def list_leases(admin: Admin, services: ServicesDep) -> LeaseList:
    """Which worker holds which task, and until when."""
    return LeaseList(items=service.list_leases(services, admin))


@router.get("/statistics", response_model=HourList)
def read_statistics(admin: Admin, services: ServicesDep) -> HourList:
    """Results and durations of exports for each of the last 24 hours."""
    return HourList(items=services.admin_queries.hours(admin.scope))


@router.get("/notifications", response_model=AdminDeliveryList, responses=_INVALID)
def list_deliveries(
    admin: Admin,
    services: ServicesDep,
    tenant: PlainText | None = None,
    task_id: UUID | None = None,
    channel: Literal["webhook", "email", "notice"] | None = None,
    failed: Annotated[bool, Query(description="Given up, or failed so far.")] = False,
    limit: Limit = 50,
) -> AdminDeliveryList:
    """Notification deliveries of the own tenant, or of all for an operator, newest first."""
    found = service.list_deliveries(
        services, admin, tenant=tenant, task_id=task_id, channel=channel, failed=failed, limit=limit
    )
    return AdminDeliveryList(items=[admin_delivery_body(item) for item in found])


@router.get("/webhook-secrets", response_model=WebhookSecrets, responses=_INVALID)
def read_webhook_secrets(admin: Admin, services: ServicesDep) -> WebhookSecrets:
    """The secrets of the caller's tenant. Those of other tenants are not available over HTTP."""
    return WebhookSecrets(secrets=service.webhook_secrets(services, admin))
