"""``/admin``: what operators look at, and the replay of dead letters."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BeforeValidator

from waybill.api.admin.page import (
    audit_page,
    forbidden_page,
    letters_page,
    overview_page,
    tasks_page,
)
from waybill.api.admin.routes import Id
from waybill.api.context import ServicesDep
from waybill.api.exports.lists import MAX_PAGE, PlainText
from waybill.api.pages.page import LookDep
from waybill.api.pages.routes import Session
from waybill.api.session.auth import require_own_origin
from waybill.exporter.datasets.principal import Principal
from waybill.infra.tasks.states import TaskStatus

_PAGE_SIZE = 50


def _operator(look: LookDep, identity: Session) -> Principal | Response:
    if identity is None:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    user = identity.principal
    return user if user.is_admin else forbidden_page(look, user)


Operator = Annotated[Principal | Response, Depends(_operator)]
#: A field of a form that was left empty is one that is not there.
Filter = Annotated[PlainText | None, BeforeValidator(lambda value: value or None)]

router = APIRouter(prefix="/admin", include_in_schema=False)


@router.get("")
def overview(user: Operator, look: LookDep, services: ServicesDep) -> Response:
    """Queues, workers, and the last day."""
    if isinstance(user, Response):
        return user
    return overview_page(look, services, user)


@router.get("/exports")
def tasks(
    user: Operator,
    look: LookDep,
    services: ServicesDep,
    status: Annotated[TaskStatus | None, BeforeValidator(lambda value: value or None)] = None,
    tenant: Filter = None,
    type: Filter = None,  # noqa: A002 - the contract's name of the filter
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> Response:
    """Tasks of all tenants."""
    if isinstance(user, Response):
        return user
    found = services.oversight.tasks(
        statuses=[status] if status else (),
        tenant=tenant,
        task_type=type,
        offset=(page - 1) * _PAGE_SIZE,
        limit=_PAGE_SIZE + 1,
    )
    filters = {"status": status or "", "tenant": tenant or "", "type": type or ""}
    return tasks_page(look, user, found, filters, page)


@router.get("/dead-letters")
def letters(
    user: Operator,
    look: LookDep,
    services: ServicesDep,
    every: Annotated[bool, Query(alias="all")] = False,
    outcome: Filter = None,
) -> Response:
    """Dead letters, and what a replay came to."""
    if isinstance(user, Response):
        return user
    found = services.dead_letters.list(open_only=not every, limit=2 * _PAGE_SIZE)
    return letters_page(look, user, found, every, outcome or "")


@router.post("/dead-letters/{letter_id}/replay")
def replay(letter_id: Id, request: Request, user: Operator, services: ServicesDep) -> Response:
    """Ask for its export again, and say what came of it."""
    require_own_origin(request)
    if isinstance(user, Response):
        return user
    done = services.dead_letters.replay(letter_id, user.user)
    services.nudge()
    query = urlencode({"outcome": done.outcome})
    return RedirectResponse(f"/admin/dead-letters?{query}", HTTPStatus.SEE_OTHER)


@router.get("/audit-log")
def audit_log(
    user: Operator,
    look: LookDep,
    services: ServicesDep,
    task_id: Filter = None,
    tenant: Filter = None,
    actor: Filter = None,
    action: Filter = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Who did what."""
    if isinstance(user, Response):
        return user
    asked = {"task_id": task_id, "tenant": tenant, "actor": actor, "action": action}
    filters = {name: value or "" for name, value in asked.items()}
    try:
        task = UUID(task_id) if task_id else None
    except ValueError:
        return audit_page(look, user, [], filters, bad_filter=True)
    entries = services.oversight.audit(
        task_id=task, tenant=tenant, actor=actor, action=action, before=before, limit=_PAGE_SIZE
    )
    following = entries[-1].id if len(entries) == _PAGE_SIZE else None
    return audit_page(look, user, entries, filters, following=following)
