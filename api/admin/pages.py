"""``/admin``: HTML pages for admins and operators, rendered on the server: they need no script."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BeforeValidator

from waybill.api.admin import charts, pauses, service
from waybill.api.admin.access import AdminCaller, admin_caller
from waybill.api.context import ServicesDep
from waybill.api.explanations import explain
from waybill.api.http.admission import AdmittedRoute
from waybill.api.http.paging import MAX_ID, PageNumber, PlainText, RowId
from waybill.api.http.prefix import path_within
from waybill.api.pages.rendering import PageSetup, PageSetupDep, render, sign_in_page
from waybill.api.problems.errors import EarlyResponse
from waybill.api.session.auth import PageSession, require_own_origin
from waybill.api.session.destinations import own_path
from waybill.infra.exports.pausable import pausable
from waybill.infra.tasks.dead_letters import MAX_NOTE_CHARS
from waybill.infra.tasks.model import TaskConflict
from waybill.infra.tasks.pauses import MAX_PAUSE_NOTE_CHARS
from waybill.infra.tasks.queries.paused import PauseKind
from waybill.infra.tasks.queries.scope import ALL_TENANTS
from waybill.infra.tasks.states import LIVE, TaskStatus

_PAGE_SIZE = 50


def _admin(
    request: Request, setup: PageSetupDep, session: PageSession, services: ServicesDep
) -> AdminCaller:
    """The admin or operator who is logged in; anybody else gets a page that says what to do."""
    if session is None:
        address = path_within(request.scope) + (f"?{query}" if (query := request.url.query) else "")
        raise EarlyResponse(sign_in_page(setup, after=own_path(address)))
    user = session.principal
    caller = admin_caller(services, user)
    if caller is None:
        page = render(
            setup,
            "admin_forbidden.html",
            HTTPStatus.FORBIDDEN,
            texts=setup.catalogue.admin,
            user=user,
            sees_operations=False,
        )
        raise EarlyResponse(page)
    return caller


Admin = Annotated[AdminCaller, Depends(_admin)]
#: An empty form field means that there is no such filter.
_empty_is_none = BeforeValidator(lambda value: value or None)
Filter = Annotated[PlainText | None, _empty_is_none]

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=AdmittedRoute)


@router.get("")
def overview(caller: Admin, setup: PageSetupDep, services: ServicesDep) -> Response:
    """Queues, workers, and the last 24 hours."""
    scope = caller.scope
    queues = services.admin_queries.queues(scope)
    strengths = services.workers.by_queue(sorted({queue.queue for queue in queues}))
    hours = services.admin_queries.hours(scope)
    return _page(
        setup,
        "admin_overview.html",
        caller,
        tab="overview",
        queues=queues,
        # A worker of an earlier version writes no heartbeat, but its exports run.
        unattended=[
            item.queue
            for item in strengths
            if not item.workers
            and any(q.waiting and q.queue == item.queue for q in queues)
            and not any(q.running and q.queue == item.queue for q in queues)
        ],
        workers=services.workers.all() if scope == ALL_TENANTS else None,
        pauses=services.pauses.all() if scope == ALL_TENANTS else None,
        pausable=pausable(services.registry),
        max_note=MAX_PAUSE_NOTE_CHARS,
        leases=service.list_leases(services, caller),
        open_letters=services.dead_letters.count_open(scope),
        hours=hours,
        exports_chart=charts.bar_chart([(hour.succeeded, hour.failed) for hour in hours]),
        duration_chart=charts.bar_chart([(hour.average_seconds or 0,) for hour in hours]),
        totals={
            "succeeded": sum(hour.succeeded for hour in hours),
            "failed": sum(hour.failed for hour in hours),
        },
        width=charts.WIDTH,
        height=charts.HEIGHT,
    )


@router.post("/pauses", dependencies=[Depends(require_own_origin)])
def add_pause(
    caller: Admin,
    services: ServicesDep,
    what: Annotated[str, Form(max_length=220, pattern=r"^(queue|dataset):[^\x00]+$")],
    note: Annotated[
        str, Form(min_length=1, max_length=MAX_PAUSE_NOTE_CHARS, pattern=r"^[^\x00]*$")
    ],
) -> Response:
    """Pause a queue or a dataset, and go back to the overview."""
    kind, _, name = what.partition(":")
    pauses.add_pause(services, caller, PauseKind(kind), name, note)
    return RedirectResponse("/admin", HTTPStatus.SEE_OTHER)


@router.post("/pauses/{kind}/{name}/end", dependencies=[Depends(require_own_origin)])
def end_pause(kind: PauseKind, name: PlainText, caller: Admin, services: ServicesDep) -> Response:
    """Resume a queue or a dataset, and go back to the overview."""
    pauses.end_pause(services, caller, kind, name)
    return RedirectResponse("/admin", HTTPStatus.SEE_OTHER)


@router.get("/storage")
def storage(caller: Admin, setup: PageSetupDep, services: ServicesDep) -> Response:
    """Files by tenant, and tables with the next cut of each."""
    held = service.read_holdings(services, caller)
    return _page(setup, "admin_storage.html", caller, tab="storage", held=held)


@router.get("/exports")
def tasks(
    caller: Admin,
    setup: PageSetupDep,
    services: ServicesDep,
    status: Annotated[TaskStatus | None, _empty_is_none] = None,
    tenant: Filter = None,
    type: Filter = None,  # noqa: A002 - the contract's name of the filter
    page: PageNumber = 1,
) -> Response:
    """Tasks of the own tenant, or of all for an operator."""
    found, more = service.list_tasks(
        services,
        caller,
        statuses=[status] if status else (),
        tenant=tenant,
        task_type=type,
        page=page,
        page_size=_PAGE_SIZE,
    )
    return _page(
        setup,
        "admin_tasks.html",
        caller,
        tab="tasks",
        tasks=found,
        more=more,
        filters={"status": status or "", "tenant": tenant or "", "type": type or ""},
        page=page,
        statuses=list(TaskStatus),
    )


@router.get("/dead-letters")
def dead_letters(
    caller: Admin,
    setup: PageSetupDep,
    services: ServicesDep,
    include_handled: Annotated[bool, Query(alias="all")] = False,
    outcome: Filter = None,
) -> Response:
    """Dead letters with their messages, and the outcome of a replay."""
    return _page(
        setup,
        "admin_dead_letters.html",
        caller,
        tab="dead_letters",
        letters=service.list_dead_letters(
            services, caller, open_only=not include_handled, limit=2 * _PAGE_SIZE
        ),
        include_handled=include_handled,
        max_note=MAX_NOTE_CHARS,
        outcome=setup.catalogue.admin.get(f"outcome_{outcome or ''}"),
    )


@router.post("/dead-letters/{letter_id}/replay", dependencies=[Depends(require_own_origin)])
def replay(letter_id: RowId, caller: Admin, services: ServicesDep) -> Response:
    """Submit its export again, and go back to the list with the outcome."""
    done = service.replay_dead_letter(services, caller, letter_id)
    query = urlencode({"outcome": done.outcome})
    return RedirectResponse(f"/admin/dead-letters?{query}", HTTPStatus.SEE_OTHER)


@router.post("/dead-letters/{letter_id}/dismiss", dependencies=[Depends(require_own_origin)])
def dismiss(
    letter_id: RowId,
    caller: Admin,
    services: ServicesDep,
    note: Annotated[str, Form(min_length=1, max_length=MAX_NOTE_CHARS, pattern=r"^[^\x00]*$")],
) -> Response:
    """Record that nothing has to be done about it, and go back to the list."""
    service.dismiss_dead_letter(services, caller, letter_id, note)
    return RedirectResponse("/admin/dead-letters?outcome=dismissed", HTTPStatus.SEE_OTHER)


@router.get("/exports/{task_id}")
def task(
    task_id: UUID,
    caller: Admin,
    setup: PageSetupDep,
    services: ServicesDep,
    outcome: Filter = None,
) -> Response:
    """One task: what it is, what happened to it, and who was notified."""
    found = service.get_task(services, caller, task_id)
    history = service.read_audit_log(
        services, caller, task_id=task_id, tenant=None, actor=None, action=None, before=None,
        limit=2 * _PAGE_SIZE,
    ).items  # fmt: skip
    return _page(
        setup,
        "admin_task.html",
        caller,
        tab="tasks",
        task=found,
        can_cancel=found.status in LIVE and not found.cancel_requested_at,
        can_retry=found.status not in (*LIVE, TaskStatus.SUCCESS),
        explanation=explain(found.error_code, setup.catalogue.code) if found.error_code else None,
        history=history,
        deliveries=service.list_deliveries(
            services, caller, tenant=None, task_id=task_id, channel=None, failed=False,
            limit=_PAGE_SIZE,
        ),
        outcome=setup.catalogue.admin.get(f"outcome_{outcome or ''}"),
    )  # fmt: skip


@router.post("/exports/{task_id}/{action}", dependencies=[Depends(require_own_origin)])
def intervene(
    task_id: UUID, action: Literal["cancel", "retry"], caller: Admin, services: ServicesDep
) -> Response:
    """Cancel or retry a task, and show it, or the new one."""
    act = {"cancel": service.cancel_task, "retry": service.retry_task}[action]
    try:
        shown, outcome = act(services, caller, task_id).id, f"{action}_done"
    except TaskConflict:
        shown, outcome = task_id, "task_conflict"
    query = urlencode({"outcome": outcome})
    return RedirectResponse(f"/admin/exports/{shown}?{query}", HTTPStatus.SEE_OTHER)


@router.get("/audit-log")
def audit_log(
    caller: Admin,
    setup: PageSetupDep,
    services: ServicesDep,
    task_id: Filter = None,
    tenant: Filter = None,
    actor: Filter = None,
    action: Filter = None,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
) -> Response:
    """Who did what."""
    sent = {"task_id": task_id, "tenant": tenant, "actor": actor, "action": action}
    values: dict[str, Any] = {"filters": {name: value or "" for name, value in sent.items()}}
    status = HTTPStatus.OK
    try:
        task = UUID(task_id) if task_id else None
    except ValueError:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        values |= {"entries": [], "following": None, "bad_filter": True}
    else:
        part = service.read_audit_log(
            services,
            caller,
            task_id=task,
            tenant=tenant,
            actor=actor,
            action=action,
            before=before,
            limit=_PAGE_SIZE,
        )
        values |= {"entries": part.items, "following": part.next, "bad_filter": False}
    return _page(setup, "admin_audit.html", caller, status=status, tab="audit", **values)


def _page(
    setup: PageSetup,
    template: str,
    caller: AdminCaller,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,
) -> HTMLResponse:
    return render(
        setup,
        template,
        status,
        texts=setup.catalogue.admin,
        user=caller.user,
        sees_operations=True,
        sees_all=caller.scope == ALL_TENANTS,
        **values,
    )
