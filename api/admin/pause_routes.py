"""``/api/admin/pauses``: operators pause and resume queues and datasets."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from waybill.api.admin import pauses
from waybill.api.admin.routes import Admin
from waybill.api.admin.schemas import PauseList, PauseRequest
from waybill.api.context import ServicesDep
from waybill.api.http.paging import PlainText
from waybill.api.http.strict_json import StrictRoute
from waybill.api.problems.documents import problem_docs
from waybill.infra.tasks.queries.paused import PauseKind

Kind = Annotated[PauseKind, Path(description="`queue` or `dataset`.")]
Name = Annotated[PlainText, Path(description="Name of the queue or of the dataset.")]

router = APIRouter(
    prefix="/api/admin/pauses",
    tags=["admin"],
    route_class=StrictRoute,
    responses=problem_docs(401, 403),
)


@router.get("", response_model=PauseList)
def list_pauses(admin: Admin, services: ServicesDep) -> PauseList:
    """Queues and datasets that workers take no exports from. For operators."""
    return PauseList(items=pauses.list_pauses(services, admin))


@router.post(
    "",
    response_model=PauseList,
    responses=problem_docs(400, 413, 415, 422),
)
def add_pause(body: PauseRequest, admin: Admin, services: ServicesDep) -> PauseList:
    """Pause a queue or a dataset: requests are accepted and wait. Repeating it is harmless."""
    pauses.add_pause(services, admin, body.kind, body.name, body.note)
    return PauseList(items=pauses.list_pauses(services, admin))


@router.delete(
    "/{kind}/{name}",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses=problem_docs(422),
)
def end_pause(kind: Kind, name: Name, admin: Admin, services: ServicesDep) -> Response:
    """Resume a queue or a dataset. Repeating the call is harmless."""
    pauses.end_pause(services, admin, kind, name)
    return Response(status_code=HTTPStatus.NO_CONTENT)
