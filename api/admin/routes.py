"""``/api/admin``: tasks of all tenants, dead letters and their replay, the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from waybill.api.admin.schemas import AdminTaskBody, AdminTaskList, AuditList, DeadLetterList
from waybill.api.context import ServicesDep
from waybill.api.exports.lists import MAX_PAGE, MAX_PAGE_SIZE, PlainText
from waybill.api.exports.view import body_of
from waybill.api.http.strict_json import StrictRoute
from waybill.api.http.timestamps import Timestamp
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied
from waybill.infra.tasks.dead_letters import DeadLetter, Replay
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus

#: The largest id both databases can hold.
_MAX_ID = 2**63 - 1

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]
Id = Annotated[int, Path(ge=1, le=_MAX_ID)]


def require_admin(user: Caller) -> Principal:
    """The caller, who has the role `admin`; else `PermissionDenied`."""
    if not user.is_admin:
        raise PermissionDenied("This needs the role admin.")
    return user


Admin = Annotated[Principal, Depends(require_admin)]

router = APIRouter(
    prefix="/api/admin",
    tags=["admin"],
    route_class=StrictRoute,
    responses=problem_docs(401, 403, 422),
)


@router.get("/export-tasks", response_model=AdminTaskList)
def list_tasks(
    admin: Admin,
    services: ServicesDep,
    status: Annotated[list[TaskStatus] | None, Query()] = None,
    tenant: PlainText | None = None,
    type: PlainText | None = None,  # noqa: A002 - the contract's name of the filter
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    page_size: Limit = 50,
) -> AdminTaskList:
    """Tasks of all tenants, newest first."""
    tasks = services.oversight.tasks(
        statuses=status or (),
        tenant=tenant,
        task_type=type,
        offset=(page - 1) * page_size,
        limit=page_size,
    )
    now = datetime.now(UTC)
    return AdminTaskList(items=[admin_body(task, now) for task in tasks])


@router.get("/dead-letters", response_model=DeadLetterList)
def list_dead_letters(
    admin: Admin,
    services: ServicesDep,
    every: Annotated[bool, Query(alias="all", description="Replayed ones too.")] = False,
    limit: Limit = 50,
) -> DeadLetterList:
    """Messages that ended, newest first."""
    letters = services.dead_letters.list(open_only=not every, limit=limit)
    return DeadLetterList(items=letters)


@router.get("/dead-letters/{letter_id}", response_model=DeadLetter, responses=problem_docs(404))
def get_dead_letter(letter_id: Id, admin: Admin, services: ServicesDep) -> DeadLetter:
    """One dead letter with its message."""
    return services.dead_letters.get(letter_id)


@router.post("/dead-letters/{letter_id}/replay", response_model=Replay, responses=problem_docs(404))
def replay_dead_letter(letter_id: Id, admin: Admin, services: ServicesDep) -> Replay:
    """Ask for its export again, in its owner's name. Doing it twice is harmless."""
    replay = services.dead_letters.replay(letter_id, admin.user)
    services.nudge()
    return replay


@router.get("/audit-log", response_model=AuditList)
def read_audit_log(
    admin: Admin,
    services: ServicesDep,
    task_id: UUID | None = None,
    tenant: PlainText | None = None,
    actor: PlainText | None = None,
    action: PlainText | None = None,
    since: Annotated[Timestamp | None, Query(description="Included.")] = None,
    until: Annotated[Timestamp | None, Query(description="Not included.")] = None,
    before: Annotated[int | None, Query(ge=1, le=_MAX_ID)] = None,
    limit: Limit = 50,
) -> AuditList:
    """Who did what, newest first. All of it at once: export the dataset `waybill-audit`."""
    entries = services.oversight.audit(
        task_id=task_id,
        tenant=tenant,
        actor=actor,
        action=action,
        since=since,
        until=until,
        before=before,
        limit=limit + 1,
    )
    shown = entries[:limit]
    return AuditList(items=shown, next=shown[-1].id if len(entries) > limit else None)


def admin_body(task: Task, now: datetime) -> AdminTaskBody:
    """A task as an operator sees it."""
    shown = body_of(task, now).model_dump() | {"download_url": None, "url_expires_at": None}
    return AdminTaskBody(
        **shown, tenant=task.tenant_id, queue=task.queue, next_attempt_at=task.next_attempt_at
    )
