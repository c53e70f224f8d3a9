"""``/api/datasets/{name}/preview``: the first rows of an export, before it is started."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from waybill.api.context import ServicesDep
from waybill.api.datasets.preview import preview_of
from waybill.api.datasets.schemas import PreviewBody, PreviewQuery, PreviewRequest
from waybill.api.http.strict_json import StrictRoute
from waybill.api.languages import LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.stop import StopToken
from waybill.infra.previews.previewer import PreviewLeft
from waybill.infra.services import Services


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
    stop = StopToken()
    work = asyncio.ensure_future(run_in_threadpool(preview_of, services, user, name, asked, stop))
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
