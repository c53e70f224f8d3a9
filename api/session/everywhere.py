"""``/session/end-all``: log out everywhere, with a button of the page or with a token."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from waybill.api.context import ContextDep
from waybill.api.http.admission import AdmittedRoute
from waybill.api.pages.rendering import PageSetupDep
from waybill.api.session.auth import Identified, bearer_token
from waybill.api.session.routes import logged_out, logout_elsewhere

router = APIRouter(prefix="/session", include_in_schema=False, route_class=AdmittedRoute)


@router.post("/end-all")
def end_all(
    identity: Identified, request: Request, context: ContextDep, setup: PageSetupDep
) -> Response:
    """Revoke every token of the caller's that was issued until now, and the one of this request.

    Who relies on the cookie has to come from a page of ours: `Identified` refuses others.
    Programs, which send the token themselves, get 204.
    """
    context.denylist.end_all_sessions(identity.issued)
    if bearer_token(request) is not None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return logged_out(request, context, setup, logout_elsewhere(request, context, identity))
