"""Lists of the caller's tasks: by page with a total, or by cursor at a constant cost."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime

from waybill.api.context import Context
from waybill.api.exports.schemas import ListQuery, TaskPage
from waybill.api.exports.view import body_of
from waybill.api.http.cursors import ListFilter
from waybill.api.http.paging import split_page
from waybill.api.languages import Language
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.owned import ListOrder, TaskFilter


def read_list(
    context: Context, user: Principal, query: ListQuery, language: Language = "en"
) -> TaskPage:
    """The part of `user`'s tasks that `query` asks for.

    Raises:
        InvalidRequest: both a page and a cursor, or a cursor with another order.
        BadCursor: the cursor was issued for another caller or filter.
    """
    narrowed = TaskFilter(
        tuple(query.status), query.type, query.q, query.created_from, query.created_before
    )
    if query.cursor is None:
        return _read_page(context, user, query, narrowed, language)
    if query.page is not None:
        raise InvalidRequest("Use either a page or a cursor.")
    if query.sort != ListOrder.NEWEST:
        raise InvalidRequest("A cursor reads newest first. Use a page for another order.")
    position = context.cursors.read(user, _scope(narrowed), query.cursor) if query.cursor else None
    tasks = context.services.requests.after(user, position, narrowed, limit=query.page_size + 1)
    shown, more = split_page(tasks, query.page_size)
    return _part(context, user, query, narrowed, shown, language, more=more)


def _read_page(
    context: Context, user: Principal, query: ListQuery, narrowed: TaskFilter, language: Language
) -> TaskPage:
    page = query.page or 1
    offset = (page - 1) * query.page_size
    found = context.services.requests.page(
        user, narrowed, order=query.sort, offset=offset, limit=query.page_size
    )
    more = offset + len(found.tasks) < found.total
    part = _part(context, user, query, narrowed, found.tasks, language, more=more)
    return part.model_copy(update={"total": found.total, "page": page})


def _part(
    context: Context,
    user: Principal,
    query: ListQuery,
    narrowed: TaskFilter,
    tasks: list[Task],
    language: Language,
    *,
    more: bool,
) -> TaskPage:
    now = datetime.now(UTC)
    following = (
        context.cursors.write(user, _scope(narrowed), tasks[-1].created_at, tasks[-1].id)
        if more and tasks and query.sort == ListOrder.NEWEST
        else None
    )
    return TaskPage(
        items=[body_of(task, now, language) for task in tasks],
        total=None,
        page=None,
        page_size=query.page_size,
        next=following,
    )


def _scope(narrowed: TaskFilter) -> ListFilter:
    """The filter that a cursor is bound to."""
    return ListFilter(*astuple(narrowed))
