"""The answer to a failed request: a problem document, or a page if a person will see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from waybill.api.http.prefix import prefix_in
from waybill.api.links.pages import file_address
from waybill.api.pages.problem_page import problem_page
from waybill.api.pages.rendering import setup_of, sign_in_page
from waybill.api.problems.documents import FieldError, problem_headers, problem_response
from waybill.api.session.auth import wants_page


def answer_problem(
    request: Request,
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    fields: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for one problem. Who has to log in first gets the form that does it."""
    request_id: str = request.state.request_id
    if not wants_page(request):
        return problem_response(request_id, status, code, detail, fields=fields, headers=headers)
    setup = setup_of(request)
    if status == HTTPStatus.UNAUTHORIZED and setup.own_login:
        path = request.scope["path"].removeprefix(prefix_in(request))
        page = sign_in_page(setup, after=file_address(path))
        page.status_code = status
    else:
        page = problem_page(setup, status, code, request_id=request_id)
    # The address may hold the token of a share link, and no other request may contain it.
    page.headers["Referrer-Policy"] = "strict-origin"
    page.headers.update({**problem_headers(status), **(headers or {})})
    return page
