"""Lists of tasks: by page with a total, or by cursor at a cost that does not grow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from waybill.api.context import Context
from waybill.api.explanations import Language
from waybill.api.exports.schemas import TaskPage
from waybill.api.exports.view import body_of
from waybill.api.http.cursors import ListFilter
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus

MAX_PAGE_SIZE = 100
#: An offset is read and thrown away by the database; whoever wants more has cursors.
MAX_PAGE = 1_000

PlainText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class ListQuery(BaseModel):
    """Query of a list. `page` and `cursor` exclude each other; an empty cursor starts one."""

    status: list[TaskStatus] = Field(default_factory=list, description="Any of these; repeatable.")
    type: PlainText | None = Field(None, description="Name of a dataset.")
    q: PlainText | None = Field(None, description="Part of a file name; case does not matter.")
    page: int | None = Field(None, ge=1, le=MAX_PAGE)
    page_size: int = Field(20, ge=1, le=MAX_PAGE_SIZE)
    cursor: str | None = Field(None, max_length=500, description="`next` of the part before.")


def read_list(
    context: Context, user: Principal, query: ListQuery, language: Language = "en"
) -> TaskPage:
    """The part of `user`'s tasks that `query` asks for.

    Raises:
        InvalidRequest: both a page and a cursor.
        BadCursor: the cursor belongs to another caller or filter.
    """
    chosen = ListFilter(tuple(query.status), query.type, query.q)
    if query.cursor is None:
        return _read_page(context, user, query, chosen, language)
    if query.page is not None:
        raise InvalidRequest("Use either a page or a cursor.")
    position = context.cursors.read(user, chosen, query.cursor) if query.cursor else None
    tasks = context.services.requests.after(
        user,
        position,
        statuses=query.status,
        task_type=query.type,
        name_part=query.q,
        limit=query.page_size + 1,
    )
    more = len(tasks) > query.page_size
    tasks = tasks[: query.page_size]
    return _part(context, user, query, chosen, tasks, language, more=more)


def _read_page(
    context: Context, user: Principal, query: ListQuery, chosen: ListFilter, language: Language
) -> TaskPage:
    page = query.page or 1
    offset = (page - 1) * query.page_size
    found = context.services.requests.page(
        user,
        statuses=query.status,
        task_type=query.type,
        name_part=query.q,
        offset=offset,
        limit=query.page_size,
    )
    more = offset + len(found.tasks) < found.total
    part = _part(context, user, query, chosen, found.tasks, language, more=more)
    return part.model_copy(update={"total": found.total, "page": page})


def _part(
    context: Context,
    user: Principal,
    query: ListQuery,
    chosen: ListFilter,
    tasks: list[Task],
    language: Language,
    *,
    more: bool,
) -> TaskPage:
    now = datetime.now(UTC)
    follows = (
        context.cursors.write(user, chosen, tasks[-1].created_at, tasks[-1].id)
        if more and tasks
        else None
    )
    return TaskPage(
        items=[body_of(task, now, language) for task in tasks],
        total=None,
        page=None,
        page_size=query.page_size,
        next=follows,
    )
