"""The task centre's HTML: everything a person reads before the first script runs."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from waybill.api.context import ContextDep
from waybill.api.languages import language_of
from waybill.api.pages.form_fields import form_fields
from waybill.api.pages.texts import LANGUAGES, PageLanguage, Texts
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.services import Services

_templates = Environment(
    loader=PackageLoader("waybill.api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

#: With `no-referrer` a browser would send `Origin: null` with the page's own forms, and
#: they would be refused. Towards other hosts it is as silent. (Fetch standard, 3.1.)
_HEADERS = {"Referrer-Policy": "same-origin", "Vary": "Accept-Language, Cookie"}


@dataclass(frozen=True, slots=True)
class Look:
    """How a page appears: where its scripts and styles are, and in which language it speaks."""

    static: str
    language: PageLanguage


def _look_of(request: Request, context: ContextDep) -> Look:
    return Look(context.static_address, LANGUAGES[language_of(request)])


LookDep = Annotated[Look, Depends(_look_of)]


def sign_in_page(look: Look, problem: str | None = None, after: str = "") -> HTMLResponse:
    """The form that asks for a token; `problem` names the text that says what was wrong.

    `after` is the share link to go on to; give only what `own_link` let pass.
    """
    status = HTTPStatus.UNAUTHORIZED if problem or after else HTTPStatus.OK
    return render(look, "sign_in.html", status, problem=problem, after=after)


def task_centre_page(look: Look, services: Services, user: Principal) -> HTMLResponse:
    """The task centre of `user`; its list is fetched by the script."""
    forms = [
        (dataset, form_fields(dataset.params.model_json_schema()))
        for dataset in services.registry
        if dataset.allows(user)
    ]
    return render(look, "task_centre.html", user=user, forms=forms, formats=FORMATS)


def render(
    look: Look,
    template: str,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    texts: Texts | None = None,
    **values: object,
) -> HTMLResponse:
    """A page made of `template`, with the texts of the task centre and `texts` besides."""
    page = _templates.get_template(template)
    html = page.render(
        t={**look.language.page, **(texts or {})},
        language=look.language,
        languages=LANGUAGES.values(),
        static=look.static,
        **values,
    )
    headers = {**_HEADERS, "Content-Language": look.language.tag}
    return HTMLResponse(html, status, headers=headers)
