"""``/api/schedules``: when saved exports run by themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from waybill.api.context import ServicesDep
from waybill.api.exports.schemas import SubmittedTask
from waybill.api.exports.view import submitted_response
from waybill.api.http.if_match import IfMatch, tag_of, versions_of
from waybill.api.http.paging import MAX_PAGE_SIZE, split_page
from waybill.api.http.strict_json import StrictRoute
from waybill.api.languages import LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.saved_exports.viewers import ViewerDep
from waybill.api.schedules import service
from waybill.api.schedules.schemas import (
    RulePreview,
    RulePreviewRequest,
    ScheduleBody,
    ScheduleChange,
    ScheduleList,
    ScheduleRequest,
)
from waybill.api.session.auth import Caller, Identified
from waybill.infra.tasks.audit import Actor

PATH = "/api/schedules"

router = APIRouter(prefix=PATH, tags=["schedules"], route_class=StrictRoute)


@router.post(
    "/preview", response_model=RulePreview, responses=problem_docs(400, 401, 403, 413, 415, 422)
)
def preview_schedule(
    body: RulePreviewRequest, _user: Caller, services: ServicesDep, language: LanguageDep
) -> RulePreview:
    """The next five times of a rule, before a schedule is saved."""
    return service.preview(services, body, language)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=ScheduleBody,
    responses=problem_docs(400, 401, 403, 404, 409, 413, 415, 422),
)
def create_schedule(
    body: ScheduleRequest,
    identity: Identified,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
) -> ScheduleBody:
    """Run a saved export again and again, with the rights of the caller."""
    made = service.create(services, identity, viewer, body, language)
    response.headers.update({"Location": f"{PATH}/{made.id}", "ETag": tag_of(made.version)})
    return service.body_of(viewer, made, language)


@router.get("", response_model=ScheduleList, responses=problem_docs(401, 422))
def list_schedules(
    viewer: ViewerDep,
    services: ServicesDep,
    language: LanguageDep,
    before: Annotated[UUID | None, Query(description="`next` of the previous part.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = MAX_PAGE_SIZE,
) -> ScheduleList:
    """The caller's schedules, newest first. An admin sees those of the whole tenant."""
    found = services.schedules.visible(viewer, before=before, limit=limit + 1)
    items, more = split_page(found, limit)
    return ScheduleList(
        items=[service.body_of(viewer, item, language) for item in items],
        next=items[-1].id if more else None,
    )


@router.get(
    "/{schedule_id:uuid}", response_model=ScheduleBody, responses=problem_docs(401, 404, 422)
)
def get_schedule(
    schedule_id: UUID,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
) -> ScheduleBody:
    """One schedule, with its next times and its last run."""
    found = services.schedules.get(viewer, schedule_id)
    response.headers["ETag"] = tag_of(found.version)
    return service.body_of(viewer, found, language)


@router.patch(
    "/{schedule_id:uuid}",
    response_model=ScheduleBody,
    responses=problem_docs(400, 401, 403, 404, 412, 413, 415, 422),
)
def change_schedule(
    schedule_id: UUID,
    body: ScheduleChange,
    identity: Identified,
    viewer: ViewerDep,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
    if_match: IfMatch = None,
) -> ScheduleBody:
    """Change a schedule. Only its owner may."""
    versions = versions_of(if_match)
    changed = service.change(services, identity, viewer, schedule_id, body, versions, language)
    response.headers["ETag"] = tag_of(changed.version)
    return service.body_of(viewer, changed, language)


@router.post(
    "/{schedule_id:uuid}/pause",
    response_model=ScheduleBody,
    responses=problem_docs(401, 403, 404, 422),
)
def pause_schedule(
    schedule_id: UUID, viewer: ViewerDep, services: ServicesDep, language: LanguageDep
) -> ScheduleBody:
    """Pause a schedule. Repeating the call changes nothing."""
    paused = services.schedules.pause(schedule_id, viewer, Actor.user(viewer.user))
    return service.body_of(viewer, paused, language)


@router.post(
    "/{schedule_id:uuid}/resume",
    response_model=ScheduleBody,
    responses=problem_docs(401, 403, 404, 422),
)
def resume_schedule(
    schedule_id: UUID, viewer: ViewerDep, services: ServicesDep, language: LanguageDep
) -> ScheduleBody:
    """Go on with the next time. What was missed meanwhile is not caught up."""
    resumed = services.schedules.resume(schedule_id, viewer, Actor.user(viewer.user))
    return service.body_of(viewer, resumed, language)


@router.post(
    "/{schedule_id:uuid}/run",
    status_code=HTTPStatus.ACCEPTED,
    response_model=SubmittedTask,
    responses=problem_docs(401, 403, 404, 409, 422, 429, 503),
)
def run_schedule(
    schedule_id: UUID, viewer: ViewerDep, services: ServicesDep, response: Response
) -> SubmittedTask:
    """Run it once more, now, and notify its recipients. Its times stay as they are."""
    submitted = service.run_now(services, viewer, schedule_id)
    return submitted_response(submitted, response, HTTPStatus.ACCEPTED)


@router.delete(
    "/{schedule_id:uuid}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problem_docs(401, 403, 404, 412, 422),
)
def delete_schedule(
    schedule_id: UUID, viewer: ViewerDep, services: ServicesDep, if_match: IfMatch = None
) -> None:
    """Delete a schedule. The exports it has made stay."""
    actor = Actor.user(viewer.user)
    services.schedules.delete(schedule_id, viewer, actor, versions=versions_of(if_match))
