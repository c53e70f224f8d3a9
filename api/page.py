"""The task centre's HTML: everything a person reads before the first script runs."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.form_fields import form_fields
from api.texts import ENGLISH
from exporter.formats import FORMATS
from exporter.principal import Principal
from infra.services import Services

_templates = Environment(
    loader=PackageLoader("api"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

#: With `no-referrer` a browser would send `Origin: null` with the page's own forms, and
#: they would be refused. Towards other hosts it is as silent. (Fetch standard, 3.1.)
_HEADERS = {"Referrer-Policy": "same-origin"}


def sign_in_page(static: str, problem: str | None = None, after: str = "") -> HTMLResponse:
    """The form that asks for a token; `problem` names the text that says what was wrong.

    `after` is the share link to go on to; give only what `api.link_pages.own_link` let pass.
    """
    return render(
        "sign_in.html",
        HTTPStatus.UNAUTHORIZED if problem or after else HTTPStatus.OK,
        static=static,
        problem=problem,
        after=after,
    )


def task_centre_page(static: str, services: Services, user: Principal) -> HTMLResponse:
    """The task centre of `user`; its list is fetched by the script."""
    forms = [
        (dataset, form_fields(dataset.params.model_json_schema()))
        for dataset in services.registry
        if dataset.allows(user)
    ]
    return render(
        "task_centre.html", HTTPStatus.OK, static=static, user=user, forms=forms, formats=FORMATS
    )


def render(template: str, status: HTTPStatus, **values: object) -> HTMLResponse:
    """A page from its template; `t` holds the texts."""
    html = _templates.get_template(template).render(t=ENGLISH, **values)
    return HTMLResponse(html, status, headers=_HEADERS)
