"""``/api/export-tasks/…/events``: task changes as server-sent events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from starlette.responses import Response

from waybill.api.context import Context, ContextDep
from waybill.api.events.hub import EventStream
from waybill.api.events.schemas import event_schema
from waybill.api.events.stream import Permission, Stream, position_in
from waybill.api.exports.view import TASKS_PATH
from waybill.api.http.admission import AdmittedRoute
from waybill.api.languages import Language, LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.auth import Identified
from waybill.api.session.tokens import Identity
from waybill.infra.tasks.queries.changes import StateQuery
from waybill.infra.tasks.states import LIVE

router = APIRouter(prefix=TASKS_PATH, tags=["export tasks"], route_class=AdmittedRoute)

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="Browsers send it when they reconnect. Unknown ids are ignored.",
    ),
]


_HEARTBEAT_EXAMPLE = 'event: heartbeat\ndata: {"interval_seconds": 15.0}\nretry: 3172\n\n'


def _stream_docs(
    description: str, kinds: tuple[str, ...], example: str
) -> dict[int | str, dict[str, Any]]:
    content = {
        "schema": {"type": "string"},
        # OpenAPI 3.2 has `itemSchema` for this; a document of 3.1 may not.
        "x-itemSchema": event_schema(*kinds),
        "example": _HEARTBEAT_EXAMPLE + example,
    }
    return {200: {"description": description, "content": {EventStream.media_type: content}}}


@router.get(
    "/events",
    status_code=HTTPStatus.OK,
    # Not `EventStream`, for which the framework would document one text.
    response_class=Response,
    responses={
        **_stream_docs(
            "A stream of `heartbeat`, `reset`, `task` and `deleted`.",
            ("heartbeat", "reset", "task", "deleted"),
            'event: reset\ndata: {}\n\nevent: task\ndata: {"id": "…", "status": "PROCESSING", …}'
            "\nid: 1772355602000000\n\n",
        ),
        **problem_docs(400, 401, 422, 429),
    },
)
def all_events(
    identity: Identified,
    context: ContextDep,
    language: LanguageDep,
    last_event_id: LastEventId = None,
) -> Response:
    """The changes of all tasks of the caller.

    `task` holds a task as `GET /{task_id}` returns it, without `download_url`; `deleted` holds the
    id of a deleted task.
    Unless `Last-Event-ID` allows the stream to continue where it broke off, it starts with `reset`
    and then sends the live and the newest tasks. Read all other tasks again after a `reset`.
    A `heartbeat` comes first, and whenever nothing else has happened for a while: a proxy may hold
    a stream back, and a connection may be dead without a word. The stream ends when the token
    expires.
    """
    query = StateQuery(identity.principal, since=position_in(last_event_id))
    return _stream(context, identity, language, query)


@router.get(
    "/{task_id}/events",
    status_code=HTTPStatus.OK,
    # Not `EventStream`, for which the framework would document one text.
    response_class=Response,
    responses={
        **_stream_docs(
            "A stream of `heartbeat` and `task`, with `deleted` at the end if it is.",
            ("heartbeat", "task", "deleted"),
            'event: task\ndata: {"id": "…", "status": "SUCCESS", …}\nid: 7\n\n',
        ),
        204: {
            "description": "The task has ended, and `Last-Event-ID` is the id of its last change."
        },
        **problem_docs(400, 401, 404, 422, 429, 503),
    },
)
def task_events(
    task_id: UUID,
    identity: Identified,
    context: ContextDep,
    language: LanguageDep,
    last_event_id: LastEventId = None,
) -> Response:
    """The state of one task, now and after each change.

    `task` holds it as `GET /{task_id}` returns it, without `download_url`. The stream ends when the
    task ends, when it is deleted (`deleted`), or when the token expires.
    """
    task = context.services.requests.get(identity.principal, task_id)
    if task.status not in LIVE and last_event_id == str(task.version):
        # A 204 tells a browser to stop reconnecting. (HTML, 9.2.3.)
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return _stream(context, identity, language, StateQuery(identity.principal, task_id))


def _stream(
    context: Context, identity: Identity, language: Language, query: StateQuery
) -> Response:
    permission = Permission(context.verifier, identity)
    if permission.seconds_left <= 0:
        # Accepted for requests within the leeway, but the stream would end at once.
        raise Unauthenticated
    return EventStream(context.events, Stream(query, permission, language))
