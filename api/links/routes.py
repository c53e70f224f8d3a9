"""Share links: made and revoked under their task, followed at ``/d/{token}``."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ContextDep, ServicesDep
from waybill.api.exports.routes import PATH, submitted_body
from waybill.api.exports.schemas import SubmittedTask
from waybill.api.http.strict_json import StrictRoute
from waybill.api.links.pages import link_path, link_sign_in_page, no_file_page
from waybill.api.links.service import (
    LinkList,
    LinkRequest,
    NewLinkBody,
    create_link,
    follow,
    list_links,
    run_again,
)
from waybill.api.pages.page import LookDep
from waybill.api.problems.documents import problem_docs, status_of
from waybill.api.problems.errors import FileExpired, PrefetchRefused
from waybill.api.problems.refusals import note_refusal
from waybill.api.session.auth import Caller, Visitor, wants_page
from waybill.exporter.errors import WaybillError

router = APIRouter(tags=["share links"], route_class=StrictRoute)

_PAGE_STATUSES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@router.post(
    f"{PATH}/{{task_id}}/links",
    status_code=HTTPStatus.CREATED,
    response_model=NewLinkBody,
    responses=problem_docs(400, 401, 403, 404, 409, 410, 413, 415, 422),
)
def share(task_id: UUID, body: LinkRequest, user: Caller, services: ServicesDep) -> NewLinkBody:
    """Make a link to a finished export. Its token is in this answer and nowhere else."""
    return create_link(services, user, task_id, body)


@router.get(
    f"{PATH}/{{task_id}}/links",
    response_model=LinkList,
    responses=problem_docs(401, 403, 404, 422),
)
def shared(task_id: UUID, user: Caller, services: ServicesDep) -> LinkList:
    """The links of one task, with their uses."""
    return list_links(services, user, task_id)


@router.delete(
    f"{PATH}/{{task_id}}/links/{{link_id}}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problem_docs(401, 403, 404, 422),
)
def revoke(task_id: UUID, link_id: UUID, user: Caller, services: ServicesDep) -> None:
    """End a link. The next click finds nothing; revoking it again changes nothing."""
    services.links.revoke(user, task_id, link_id)


def _refuse_prefetch(request: Request) -> None:
    """Looking ahead is no click. A browser asks again when somebody does click."""
    purpose = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    if any("prefetch" in value for value in purpose):
        raise PrefetchRefused


@router.get(
    "/d/{token}",
    status_code=HTTPStatus.FOUND,
    response_class=RedirectResponse,
    dependencies=[Depends(_refuse_prefetch)],
    responses={
        302: {"description": "To a signed link that lives for a minute."},
        **problem_docs(400, 401, 403, 404, 410, 422, 503),
    },
)
def follow_link(
    token: str, request: Request, visitor: Visitor, context: ContextDep, look: LookDep
) -> Response:
    """Follow a share link: rights are checked, the use is counted, no bytes pass through."""
    if visitor is None:
        return link_sign_in_page(look, token)
    try:
        link = follow(context.services, visitor, token)
    except WaybillError as error:
        status = status_of(error)
        if status not in _PAGE_STATUSES or not wants_page(request):
            raise
        again = link_path(token) if isinstance(error, FileExpired) else ""
        page = no_file_page(look, status, error.code, again=again)
        page.background = note_refusal(request, error)
        return page
    return RedirectResponse(link.url, HTTPStatus.FOUND)


@router.post(
    "/d/{token}",
    status_code=HTTPStatus.ACCEPTED,
    response_model=SubmittedTask,
    responses={
        200: {"model": SubmittedTask, "description": "The same export was there already."},
        303: {"description": "To the task centre, for a browser."},
        **problem_docs(400, 401, 403, 404, 409, 422, 503),
    },
)
def run_link_again(
    token: str, request: Request, user: Caller, context: ContextDep, response: Response
) -> SubmittedTask | Response:
    """Run the export behind a link again once its file is gone, as a task of the caller's."""
    submitted = run_again(context.services, user, token)
    if wants_page(request):
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    return submitted_body(submitted, response, HTTPStatus.ACCEPTED)
