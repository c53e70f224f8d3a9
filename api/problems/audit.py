"""Audit records of refused requests: missing rights, and tasks of other users."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from starlette.background import BackgroundTask
from starlette.requests import Request

from waybill.api.context import Context
from waybill.api.problems.statuses import status_of
from waybill.exporter.errors import WaybillError
from waybill.infra.tasks.model import TaskNotFound
from waybill.storage.errors import StorageError


def refusal_record(request: Request, error: WaybillError | StorageError) -> BackgroundTask | None:
    """The job that records a refusal after the response was sent, or None.

    A 403 is a refusal, and so is a 404 for a task or link that exists but belongs to others.
    Anonymous requests are not recorded.
    """
    caller = getattr(request.state, "caller", None)
    task_id = getattr(error, "task_id", None) or _id(request.path_params.get("task_id"))
    hidden = isinstance(error, TaskNotFound) or getattr(error, "task_id", None) is not None
    if caller is None or not (status_of(error) == HTTPStatus.FORBIDDEN or hidden):
        return None
    context: Context = request.app.state.context
    return BackgroundTask(
        context.services.refusals.note,
        caller,
        code=getattr(error, "code", ""),
        # The route's template, not the path: a path may hold a token, and differs every time.
        route=f"{request.method} {request.scope['route'].path}",
        task_id=task_id,
    )


def _id(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
