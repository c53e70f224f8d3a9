"""Share links: created and revoked under their task, followed at ``/d/{token}``."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ContextDep, ServicesDep
from waybill.api.exports.file_schemas import FileList
from waybill.api.exports.schemas import SubmittedTask
from waybill.api.exports.view import TASKS_PATH, submitted_response
from waybill.api.http.prefix import prefix_in
from waybill.api.http.strict_json import StrictRoute
from waybill.api.languages import LanguageDep
from waybill.api.links.pages import files_page, link_sign_in_page, no_file_page
from waybill.api.links.schemas import LinkList, LinkRequest, NewLinkBody, SharedFileList
from waybill.api.links.service import (
    create_link,
    describe,
    follow,
    list_links,
    run_again,
    shared_with,
)
from waybill.api.pages.rendering import PageSetupDep
from waybill.api.problems.audit import refusal_record
from waybill.api.problems.documents import problem_docs
from waybill.api.problems.errors import PrefetchRefused
from waybill.api.session.auth import Caller, Identified, OptionalCaller, wants_page
from waybill.exporter.errors import WaybillError
from waybill.storage.store import SignedLink

router = APIRouter(tags=["share links"], route_class=StrictRoute)


@router.post(
    f"{TASKS_PATH}/{{task_id}}/links",
    status_code=HTTPStatus.CREATED,
    response_model=NewLinkBody,
    responses=problem_docs(400, 401, 403, 404, 409, 410, 413, 415, 422),
)
def share(
    task_id: UUID,
    body: LinkRequest,
    request: Request,
    identity: Identified,
    services: ServicesDep,
    language: LanguageDep,
) -> NewLinkBody:
    """Create a link to a finished export, and mail it if `email` is given.

    Only this response contains its token.
    """
    return create_link(services, identity, task_id, body, prefix_in(request), language)


@router.get("/api/shared-files", response_model=SharedFileList, responses=problem_docs(401))
def shared_files(request: Request, identity: Identified, services: ServicesDep) -> SharedFileList:
    """Files whose links were mailed to the caller's own address, and can be downloaded now."""
    return shared_with(services, identity, prefix_in(request))


@router.get(
    f"{TASKS_PATH}/{{task_id}}/links",
    response_model=LinkList,
    responses=problem_docs(401, 403, 404, 422),
)
def shared(task_id: UUID, user: Caller, services: ServicesDep) -> LinkList:
    """The links of one task, with the number of uses."""
    return list_links(services, user, task_id)


@router.delete(
    f"{TASKS_PATH}/{{task_id}}/links/{{link_id}}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problem_docs(401, 403, 404, 422),
)
def revoke(task_id: UUID, link_id: UUID, user: Caller, services: ServicesDep) -> None:
    """Revoke a link. It stops working at once; repeating the call changes nothing."""
    services.links.revoke(user, task_id, link_id)


async def _refuse_prefetch(request: Request) -> None:
    """Refuse prefetching, which must not count as a use. A real click sends the request again."""
    purpose = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    if any("prefetch" in value for value in purpose):
        raise PrefetchRefused


@router.get(
    "/d/{token}",
    status_code=HTTPStatus.FOUND,
    response_class=RedirectResponse,
    dependencies=[Depends(_refuse_prefetch)],
    responses={
        200: {"model": FileList, "description": "Of a set: its files with their links."},
        302: {"description": "Redirect to a signed link that is valid for one minute."},
        **problem_docs(400, 401, 403, 404, 410, 422, 503),
    },
)
def follow_link(
    token: str, request: Request, caller: OptionalCaller, context: ContextDep, setup: PageSetupDep
) -> Response:
    """Check rights, count the use, and redirect to the file in the object store.

    Of an export that is a set of files the answer is their list: a page for a browser, else JSON.

    `HEAD` checks the same rights and redirects to a link that is signed for `HEAD`; it is no use.
    """
    if caller is None:
        return link_sign_in_page(setup, token)
    try:
        link = follow(context.services, caller, token)
    except WaybillError as error:
        page = no_file_page(setup, token, error) if wants_page(request) else None
        if page is None:
            raise
        page.background = refusal_record(request, error)
        return page
    if isinstance(link, SignedLink):
        return RedirectResponse(link.url, HTTPStatus.FOUND)
    if wants_page(request):
        return files_page(setup, link)
    return Response(link.model_dump_json(), media_type="application/json")


@router.head("/d/{token}", include_in_schema=False, dependencies=[Depends(_refuse_prefetch)])
def describe_link(token: str, user: Caller, services: ServicesDep) -> RedirectResponse:
    """Redirect to a link that is signed for HEAD. It is no use of the shared link."""
    return RedirectResponse(describe(services, user, token).url, HTTPStatus.FOUND)


@router.post(
    "/d/{token}",
    status_code=HTTPStatus.ACCEPTED,
    response_model=SubmittedTask,
    responses={
        200: {"model": SubmittedTask, "description": "The same export existed already."},
        303: {"description": "Redirect to the task centre, for a browser."},
        **problem_docs(400, 401, 403, 404, 409, 422, 429, 503),
    },
)
def run_link_again(
    token: str, request: Request, user: Caller, context: ContextDep, response: Response
) -> SubmittedTask | Response:
    """Run the export behind a link again after its file has expired, as the caller's own task."""
    submitted = run_again(context.services, user, token)
    if wants_page(request):
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    return submitted_response(submitted, response, HTTPStatus.ACCEPTED)
