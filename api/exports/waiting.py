"""The answer to a request that prefers to wait for its file: sent when the export has ended.

While it waits it holds neither a thread, a database connection nor a place in a lane. It reads the
same changes as an event stream, and counts as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from fastapi import Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from waybill.api.context import Context
from waybill.api.events.stream import Permission, Stream
from waybill.api.exports.downloads import task_to_show
from waybill.api.exports.schemas import SubmittedTask
from waybill.api.exports.view import body_of, headers_of, submitted_response, task_address
from waybill.api.http.admission import Lanes
from waybill.api.languages import Language
from waybill.api.problems.errors import TooManyStreams
from waybill.api.session.tokens import Identity
from waybill.exporter.errors import WaybillError
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import ApprovalState
from waybill.infra.tasks.queries.changes import StateQuery
from waybill.infra.tasks.states import LIVE


class AnswerAtEnd(Response):
    """Answers with the ended task and its link within `wait`, and else as without it.

    201: the export was made and has ended; 200: it existed before; 202: it goes on. It does, too,
    when the client leaves, when the server is about to end, and when there are too many streams. An
    export that awaits an approval is not waited for.
    """

    def __init__(
        self,
        context: Context,
        identity: Identity,
        submitted: Submitted,
        language: Language,
        wait: timedelta,
    ) -> None:
        super().__init__()
        self._context = context
        self._identity = identity
        self._submitted = submitted
        self._language = language
        self._wait = wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, and send the answer, unless the client has left meanwhile."""
        if await _unless_gone(receive, self._has_ended()):
            lanes: Lanes = scope["app"].state.lanes
            answer = await self._ended(lanes)
        else:
            answer = self._accepted()
        answer.headers["Preference-Applied"] = f"wait={self._wait // timedelta(seconds=1)}"
        await answer(scope, receive, send)

    async def _has_ended(self) -> bool:
        task = self._submitted.task
        if task.status not in LIVE:
            return True
        if task.approval == ApprovalState.ASKED:
            # No person answers within seconds.
            return False
        permission = Permission(self._context.verifier, self._identity)
        stream = Stream(StateQuery(self._identity.principal, task.id), permission)
        with suppress(TooManyStreams, TimeoutError), self._context.events.opened(stream):
            async with asyncio.timeout(self._wait.total_seconds()):
                return await stream.reaches_end()
        return False

    async def _ended(self, lanes: Lanes) -> Response:
        """The task with its link, by the rules of `GET /{task_id}`."""
        try:
            async with lanes["reads"].turn():
                return await run_in_threadpool(self._read)
        except (WaybillError, SQLAlchemyError):
            # The export was accepted, even if it or the database has failed since.
            return self._accepted()

    def _read(self) -> Response:
        services, user = self._context.services, self._identity.principal
        task = services.requests.get(user, self._submitted.task.id)
        now = datetime.now(UTC)
        task, shown = task_to_show(services, user, task, now)
        body = SubmittedTask(
            **dict(body_of(task, now, self._language, with_link=shown)),
            deduplicated=self._submitted.deduplicated,
            password=self._submitted.password,
        )
        status = HTTPStatus.OK if self._submitted.deduplicated else HTTPStatus.CREATED
        answer = self._base(body, status)
        answer.headers.update(headers_of(task, now, self._language, with_link=shown))
        return answer

    def _accepted(self) -> Response:
        headers = Response()
        body = submitted_response(self._submitted, headers, HTTPStatus.ACCEPTED)
        answer = self._base(body, HTTPStatus(headers.status_code))
        for name in ("ETag", "Vary", "Retry-After"):
            if name in headers.headers:
                answer.headers[name] = headers.headers[name]
        return answer

    def _base(self, body: SubmittedTask, status: HTTPStatus) -> Response:
        answer = JSONResponse(body.model_dump(mode="json"), status)
        answer.headers["Location"] = task_address(body.id)
        return answer


async def _unless_gone(receive: Receive, waiting: Awaitable[bool]) -> bool:
    """What `waiting` returns; False as soon as the client has left."""
    ended = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
        return ended.done() and ended.result()
    finally:
        for job in (ended, gone):
            job.cancel()
        await asyncio.gather(ended, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
