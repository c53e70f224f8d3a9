"""``/``: the task centre, or the way into it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.auth import session_identity
from api.context import ContextDep
from api.page import sign_in_page, task_centre_page
from api.tokens import Identity

router = APIRouter(include_in_schema=False)


@router.get("/")
def task_centre(
    context: ContextDep, identity: Annotated[Identity | None, Depends(session_identity)]
) -> Response:
    """The page."""
    if identity is None:
        return sign_in_page(context.static_address)
    return task_centre_page(context.static_address, context.services, identity.principal)
