"""``/api/export-tasks``: submit, list, read, download, cancel, retry and delete exports."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ContextDep, ServicesDep
from waybill.api.exports.downloads import describing_link, sign_link, task_to_show
from waybill.api.exports.file_schemas import FileList
from waybill.api.exports.files import list_files
from waybill.api.exports.lists import read_list
from waybill.api.exports.places import read_places
from waybill.api.exports.schemas import (
    DownloadLink,
    ExportRequest,
    ListQuery,
    PlaceList,
    SubmittedTask,
    TaskBody,
    TaskPage,
)
from waybill.api.exports.service import retry_export, run_again, submit_export
from waybill.api.exports.view import (
    TASKS_PATH,
    body_of,
    headers_of,
    submitted_response,
    task_response,
)
from waybill.api.exports.waiting import AnswerAtEnd
from waybill.api.http.accept import accepts_only_json
from waybill.api.http.preferences import preferred_wait
from waybill.api.http.strict_json import StrictRoute
from waybill.api.languages import LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller, CallerEmail, Identified

router = APIRouter(prefix=TASKS_PATH, tags=["export tasks"], route_class=StrictRoute)

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Repeating a request with its key returns the same task.",
    ),
]

#: Read as RFC 7240 has it, by `preferred_wait`.
PreferDocs = Annotated[
    str | None,
    Header(alias="Prefer", description="`wait=5`: wait up to five seconds for the file."),
]


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=SubmittedTask,
    responses={
        200: {"model": SubmittedTask, "description": "The same export existed already."},
        201: {"model": SubmittedTask, "description": "With `Prefer: wait`: it has ended already."},
        **problem_docs(400, 401, 403, 409, 413, 415, 422, 429, 503),
    },
)
def submit(
    request: Request,
    body: ExportRequest,
    identity: Identified,
    context: ContextDep,
    response: Response,
    language: LanguageDep,
    idempotency_key: IdempotencyKey = None,
    _prefer: PreferDocs = None,
) -> SubmittedTask | Response:
    """Submit an export.

    With `Prefer: wait=5` the answer comes when the export has ended, at most five seconds later:
    201 and the task with its link. 202 says that it goes on. `Preference-Applied` states the
    seconds, 25 at most.
    """
    context.services.schedule_owners.saw(identity.principal)
    submitted = submit_export(
        context.services,
        identity.principal,
        body.in_language(language),
        idempotency_key,
        identity.email,
    )
    if wait := preferred_wait(request.headers):
        return AnswerAtEnd(context, identity, submitted, language, wait)
    return submitted_response(submitted, response, HTTPStatus.ACCEPTED)


@router.get("", response_model=TaskPage, responses=problem_docs(401, 403, 422))
def list_tasks(
    user: Caller,
    context: ContextDep,
    query: Annotated[ListQuery, Query()],
    language: LanguageDep,
) -> TaskPage:
    """The caller's tasks, newest first."""
    return read_list(context, user, query, language)


@router.get("/queue", response_model=PlaceList, responses=problem_docs(401))
def queue(user: Caller, services: ServicesDep) -> PlaceList:
    """Where the caller's waiting exports stand in their queues, and about when they start."""
    return read_places(services, user)


@router.get(
    "/{task_id:uuid}",
    response_model=TaskBody,
    responses={304: {"description": "Not Modified"}, **problem_docs(401, 404, 422)},
)
def get_task(
    task_id: UUID,
    user: Caller,
    services: ServicesDep,
    response: Response,
    language: LanguageDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> TaskBody | Response:
    """One task. Poll it with `If-None-Match` at the interval that `Retry-After` states.

    `download_url` holds the recorded link only while the caller may export the dataset. The audit
    log records the first time a link is shown (`link_shown`).
    """
    task, now = services.requests.get(user, task_id), datetime.now(UTC)
    task, with_link = task_to_show(services, user, task, now)
    headers = headers_of(task, now, language, with_link=with_link)
    if headers["ETag"] in _tags(if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    response.headers.update(headers)
    return body_of(task, now, language, with_link=with_link)


@router.get(
    "/{task_id:uuid}/download",
    status_code=HTTPStatus.TEMPORARY_REDIRECT,
    response_class=RedirectResponse,
    responses={
        200: {
            "model": DownloadLink,
            "description": "For a client that accepts JSON only: `Accept: application/json`.",
        },
        307: {"description": "Redirect to a newly signed link."},
        **problem_docs(401, 403, 404, 409, 410, 422, 503),
    },
)
def download(
    task_id: UUID,
    user: Caller,
    services: ServicesDep,
    request: Request,
) -> Response:
    """A link to the file. The object store serves the bytes, and answers `Range`.

    The answer is a redirect to the link, or the link as JSON for a client whose `Accept` asks for
    JSON and nothing else. A program does best to take the link by JSON and to fetch it bare: some
    clients send their `Authorization` to the object store too, which refuses two kinds of
    credentials. `HEAD` redirects to a link that is signed for `HEAD`: size and name, and no byte.
    """
    link = sign_link(services, user, task_id)
    if accepts_only_json(request.headers):
        body = DownloadLink(url=link.url, expires_at=link.expires_at)
        return Response(body.model_dump_json(), media_type="application/json")
    return RedirectResponse(link.url, HTTPStatus.TEMPORARY_REDIRECT)


@router.get(
    "/{task_id:uuid}/files",
    response_model=FileList,
    responses=problem_docs(401, 403, 404, 409, 410, 422, 503),
)
def files(task_id: UUID, user: Caller, services: ServicesDep) -> FileList:
    """The files of an export with new links; of a set also while it runs.

    A large export may be a set: files of whole rows, and a manifest that names them, which is
    written last. Files that are ready may be fetched before that (`partial`). An export that is one
    file is a list of one. Rights are checked and links audited as by `download`.
    """
    return list_files(services, user, task_id)


@router.head("/{task_id:uuid}/download", include_in_schema=False)
def describe(task_id: UUID, user: Caller, services: ServicesDep) -> RedirectResponse:
    """Redirect to a link that is signed for HEAD."""
    link = describing_link(services, user, task_id)
    return RedirectResponse(link.url, HTTPStatus.TEMPORARY_REDIRECT)


@router.post(
    "/{task_id:uuid}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    response_model=TaskBody,
    responses=problem_docs(401, 403, 404, 409, 422),
)
def cancel(
    task_id: UUID, user: Caller, services: ServicesDep, response: Response, language: LanguageDep
) -> TaskBody:
    """Cancel a live task. Repeating the call changes nothing."""
    return task_response(services.requests.cancel(user, task_id), response, language)


@router.post(
    "/{task_id:uuid}/retry",
    status_code=HTTPStatus.CREATED,
    response_model=SubmittedTask,
    responses={
        200: {"model": SubmittedTask, "description": "The same export is running already."},
        **problem_docs(401, 403, 404, 409, 422, 429, 503),
    },
)
def retry(
    task_id: UUID, user: Caller, services: ServicesDep, response: Response, email: CallerEmail
) -> SubmittedTask:
    """Submit an export that ended without a file again, as a new task.

    Its `notify` is judged again.
    """
    submitted = retry_export(services, user, task_id, email)
    return submitted_response(submitted, response, HTTPStatus.CREATED)


@router.post(
    "/{task_id:uuid}/run-again",
    status_code=HTTPStatus.CREATED,
    response_model=SubmittedTask,
    responses={
        200: {"model": SubmittedTask, "description": "The same export is running already."},
        **problem_docs(401, 403, 404, 409, 422, 429, 503),
    },
)
def again(
    task_id: UUID,
    user: Caller,
    services: ServicesDep,
    response: Response,
    email: CallerEmail,
    idempotency_key: IdempotencyKey = None,
) -> SubmittedTask:
    """Submit the same request as a new task, also of an export that has a file.

    An automatic file name is made anew, with the date of today. Its `notify` is judged again.
    """
    submitted = run_again(services, user, task_id, idempotency_key, email)
    return submitted_response(submitted, response, HTTPStatus.CREATED)


@router.delete(
    "/{task_id:uuid}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problem_docs(401, 403, 404, 409, 422),
)
def delete(task_id: UUID, user: Caller, services: ServicesDep) -> None:
    """Delete an ended task and its file."""
    services.requests.delete(user, task_id)


def _tags(if_none_match: str | None) -> set[str]:
    """The entity tags that the client has. Weak tags match as well. (RFC 9110, 13.1.2.)"""
    tags = (if_none_match or "").split(",")
    return {tag.strip().removeprefix("W/") for tag in tags}
