"""What an export would read, before it is started: its first rows, and values for its filters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from waybill.api.context import ServicesDep
from waybill.api.datasets.preview import choices_of, preview_of
from waybill.api.datasets.schemas import ChoiceList, PreviewBody, PreviewQuery, PreviewRequest
from waybill.api.http.paging import PlainText
from waybill.api.http.strict_json import StrictRoute
from waybill.api.languages import LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.stop import StopToken
from waybill.infra.previews.previewer import PreviewLeft
from waybill.infra.services import Services

T = TypeVar("T")


class _PreviewRoute(StrictRoute):
    lane = "sources"


router = APIRouter(prefix="/api/datasets", tags=["datasets"], route_class=_PreviewRoute)

DatasetName = Annotated[str, Path(min_length=1, max_length=200)]


@router.get(
    "/{name}/preview",
    response_model=PreviewBody,
    responses=problem_docs(401, 403, 422, 429, 503),
)
async def preview(
    name: DatasetName,
    query: Annotated[PreviewQuery, Query()],
    request: Request,
    user: Caller,
    services: ServicesDep,
    language: LanguageDep,
) -> PreviewBody:
    """The first 50 rows as the file would show them, with the caller's rights and masks.

    It is recorded in the audit log as `preview`. It ends when the client leaves.
    """
    return await _answer(request, services, user, name, query.request(), language)


@router.post(
    "/{name}/preview",
    response_model=PreviewBody,
    responses=problem_docs(400, 401, 403, 413, 415, 422, 429, 503),
)
async def preview_by_body(
    name: DatasetName,
    body: PreviewRequest,
    request: Request,
    user: Caller,
    services: ServicesDep,
    language: LanguageDep,
) -> PreviewBody:
    """The same for parameters that are too long for an address. It changes nothing either."""
    return await _answer(request, services, user, name, body, language)


@router.get(
    "/{name}/choices/{param}",
    response_model=ChoiceList,
    responses=problem_docs(401, 403, 422, 429, 503),
)
async def choices(
    name: DatasetName,
    param: Annotated[
        str, Path(min_length=1, max_length=200, description="Name of a text parameter.")
    ],
    request: Request,
    user: Caller,
    services: ServicesDep,
    q: Annotated[PlainText | None, Query(description="What the values contain.")] = None,
) -> ChoiceList:
    """Values of a text parameter that are in the data, where the dataset lists them.

    They are read with the caller's rights, as a preview is, and recorded as `preview` as well.
    """
    return await _unless_left(
        request, lambda stop: choices_of(services, user, name, param, q or "", stop)
    )


async def _answer(
    request: Request,
    services: Services,
    user: Principal,
    name: str,
    asked: PreviewRequest,
    language: str,
) -> PreviewBody:
    if asked.lang is None:
        asked = asked.model_copy(update={"lang": language})
    return await _unless_left(request, lambda stop: preview_of(services, user, name, asked, stop))


async def _unless_left(request: Request, read: Callable[[StopToken], T]) -> T:
    """The result of `read`, which is stopped when the client leaves."""
    stop = StopToken()
    work = asyncio.ensure_future(run_in_threadpool(read, stop))
    gone = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            stop.request(PreviewLeft())
        return await work
    finally:
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
