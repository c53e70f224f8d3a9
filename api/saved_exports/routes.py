"""``/api/saved-exports``: requests that people repeat, their own and those shared with them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from waybill.api.context import ServicesDep
from waybill.api.exports.schemas import SubmittedTask
from waybill.api.exports.view import submitted_response
from waybill.api.http.if_match import IfMatch, tag_of, versions_of
from waybill.api.http.paging import MAX_PAGE_SIZE, split_page
from waybill.api.http.strict_json import StrictRoute
from waybill.api.languages import LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.saved_exports import service
from waybill.api.saved_exports.schemas import (
    SavedExportBody,
    SavedExportChange,
    SavedExportList,
    SavedExportRequest,
)
from waybill.api.saved_exports.viewers import ViewerDep
from waybill.api.session.auth import Identified

PATH = "/api/saved-exports"

router = APIRouter(prefix=PATH, tags=["saved exports"], route_class=StrictRoute)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=SavedExportBody,
    responses=problem_docs(400, 401, 403, 409, 413, 415, 422),
)
def save_export(
    body: SavedExportRequest,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
) -> SavedExportBody:
    """Save an export request under a name. It is checked as if it were run now."""
    saved = service.create(services, viewer, body)
    response.headers.update({"Location": f"{PATH}/{saved.id}", "ETag": tag_of(saved.version)})
    return service.body_of(services, viewer, saved, language)


@router.get("", response_model=SavedExportList, responses=problem_docs(401, 422))
def list_saved_exports(
    viewer: ViewerDep,
    services: ServicesDep,
    language: LanguageDep,
    after: Annotated[UUID | None, Query(description="`next` of the previous part.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = MAX_PAGE_SIZE,
) -> SavedExportList:
    """The caller's saved exports and those shared with them, by name. An admin sees all."""
    found = services.saved_exports.visible(viewer, after=after, limit=limit + 1)
    items, more = split_page(found, limit)
    return SavedExportList(
        items=[service.body_of(services, viewer, item, language) for item in items],
        next=items[-1].id if more else None,
    )


@router.get(
    "/{saved_export_id:uuid}", response_model=SavedExportBody, responses=problem_docs(401, 404, 422)
)
def get_saved_export(
    saved_export_id: UUID,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
) -> SavedExportBody:
    """One saved export."""
    saved = services.saved_exports.get(viewer, saved_export_id)
    response.headers["ETag"] = tag_of(saved.version)
    return service.body_of(services, viewer, saved, language)


@router.patch(
    "/{saved_export_id:uuid}",
    response_model=SavedExportBody,
    responses=problem_docs(400, 401, 403, 404, 409, 412, 413, 415, 422),
)
def change_saved_export(
    saved_export_id: UUID,
    body: SavedExportChange,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
    if_match: IfMatch = None,
) -> SavedExportBody:
    """Change a saved export. Schedules on it use the change with their next run."""
    saved = service.change(services, viewer, saved_export_id, body, versions_of(if_match))
    response.headers["ETag"] = tag_of(saved.version)
    return service.body_of(services, viewer, saved, language)


@router.delete(
    "/{saved_export_id:uuid}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problem_docs(401, 403, 404, 412, 422),
)
def delete_saved_export(
    saved_export_id: UUID, viewer: ViewerDep, services: ServicesDep, if_match: IfMatch = None
) -> None:
    """Delete a saved export with its owner's schedules. Those of colleagues are paused."""
    services.saved_exports.delete(viewer, saved_export_id, versions=versions_of(if_match))


@router.post(
    "/{saved_export_id:uuid}/run",
    status_code=HTTPStatus.ACCEPTED,
    response_model=SubmittedTask,
    responses={
        200: {"model": SubmittedTask, "description": "The same export existed already."},
        **problem_docs(401, 403, 404, 409, 422, 429, 503),
    },
)
def run_saved_export(
    saved_export_id: UUID,
    identity: Identified,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r"^[\x21-\x7e]{1,255}$",
            description="Repeating a request with its key returns the same task.",
        ),
    ] = None,
) -> SubmittedTask:
    """Run a saved export now, with the rights of the caller and the dates of today."""
    submitted = service.run(services, identity, viewer, saved_export_id, idempotency_key)
    return submitted_response(submitted, response, HTTPStatus.ACCEPTED)
