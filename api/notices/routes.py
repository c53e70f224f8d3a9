"""``/api/notices``, the list behind the page's bell, and the delivery log of a task."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from waybill.api.context import ServicesDep
from waybill.api.exports.view import TASKS_PATH
from waybill.api.http.paging import MAX_PAGE_SIZE, split_page
from waybill.api.http.strict_json import StrictRoute
from waybill.api.notices.schemas import (
    DeliveryList,
    NoticeList,
    ReadUpTo,
    Unread,
    delivery_body,
    notice_body,
)
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller

router = APIRouter(prefix="/api", tags=["notices"], route_class=StrictRoute)


@router.get("/notices", response_model=NoticeList, responses=problem_docs(401, 422))
def list_notices(
    user: Caller,
    services: ServicesDep,
    before: Annotated[UUID | None, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 20,
) -> NoticeList:
    """The caller's notices, newest first; for an admin, those to all admins of the tenant too."""
    as_admin = services.admin_scope(user) is not None
    found = services.notifications.newest_notices(
        user, before=before, limit=limit + 1, as_admin=as_admin
    )
    items, more = split_page(found, limit)
    return NoticeList(
        items=[notice_body(item) for item in items],
        unread=services.notifications.count_unread_notices(user, as_admin=as_admin),
        next=items[-1].id if more else None,
    )


@router.post(
    "/notices/read", response_model=Unread, responses=problem_docs(400, 401, 403, 415, 422)
)
def read_notices(body: ReadUpTo, user: Caller, services: ServicesDep) -> Unread:
    """Mark notices as read. Those newer than the named one stay unread."""
    as_admin = services.admin_scope(user) is not None
    services.notifications.mark_notices_read(user, body.up_to, as_admin=as_admin)
    return Unread(unread=services.notifications.count_unread_notices(user, as_admin=as_admin))


@router.get(
    TASKS_PATH.removeprefix("/api") + "/{task_id}/notifications",
    response_model=DeliveryList,
    responses=problem_docs(401, 404, 422),
)
def list_deliveries(task_id: UUID, user: Caller, services: ServicesDep) -> DeliveryList:
    """The delivery log of a task: its notifications and their state."""
    return DeliveryList(
        items=[delivery_body(item) for item in services.notifications.of_task(user, task_id)]
    )
