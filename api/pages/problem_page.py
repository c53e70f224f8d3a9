"""The page of a problem: what a person sees where a program gets a problem document."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import HTMLResponse

from waybill.api.explanations import explain
from waybill.api.pages.rendering import PageSetup, render


def problem_page(
    setup: PageSetup, status: HTTPStatus, code: str, *, request_id: str = "", again: str = ""
) -> HTMLResponse:
    """What happened, and what to do. With `again`, a button posts to that address of ours."""
    explanation = explain(code, setup.catalogue.code)
    return render(
        setup,
        "problem.html",
        status,
        explanation=explanation,
        code=code,
        request_id=request_id,
        again=again,
    )
