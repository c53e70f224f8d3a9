"""Page rendering: templates filled in with a language's texts and the static-file address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from waybill.api.context import Context
from waybill.api.explanations import explain
from waybill.api.explanations.codes import PROBLEM_CODES
from waybill.api.http.prefix import prefix_in
from waybill.api.languages import language_of
from waybill.api.pages.form_fields import Field, field_rows, form_fields
from waybill.api.pages.texts import CATALOGUES, Catalogue, Texts
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.formats.csv.profiles import PROFILES
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.exports.dataset_columns import columns_seen
from waybill.infra.exports.plan import formats_of
from waybill.infra.services import Services

_templates = Environment(
    loader=PackageLoader("waybill.api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

#: What the page says in its own language, because no field of the form is to blame.
_LOAD_PROBLEMS = [
    code
    for code, (status, _) in PROBLEM_CODES.items()
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
]

#: With `no-referrer` a browser sends `Origin: null` with the page's own forms, and they would be
#: refused. Other hosts get no referrer with this policy either. (Fetch standard, 3.1.)
_HEADERS = {"Referrer-Policy": "same-origin", "Vary": "Accept-Language, Cookie"}


@dataclass(frozen=True, slots=True)
class PageSetup:
    """What every page needs: its place on the host, and its language."""

    #: Before every address on the page, such as ``/waybill``; usually empty.
    base: str
    #: The address of scripts and styles.
    static: str
    catalogue: Catalogue
    #: Whether one logs in and out of Waybill itself, and not of the application that mounts it.
    own_login: bool = True
    #: Whether people log in at an identity provider.
    oidc: bool = False
    #: Whether the login form asks for a token: only where there is no other way.
    token_form: bool = True
    #: Whether `waybill token` makes one.
    own_tokens: bool = True


def setup_of(request: Request) -> PageSetup:
    """The setup of the page that answers `request`."""
    context: Context = request.app.state.context
    base, settings = prefix_in(request), context.services.settings
    # Also where a session is left over: the proxy's word counts.
    named_by_proxy = getattr(request.state, "host_identity", None) is not None
    return PageSetup(
        base,
        base + context.static_address,
        CATALOGUES[language_of(request)],
        own_login=not request.app.state.has_host_login and not named_by_proxy,
        oidc=context.oidc is not None,
        token_form=context.oidc is None and not settings.proxy_networks,
        own_tokens=settings.jwks_url is None,
    )


async def _setup(request: Request) -> PageSetup:
    return setup_of(request)


PageSetupDep = Annotated[PageSetup, Depends(_setup)]


def sign_in_page(setup: PageSetup, problem: str | None = None, after: str = "") -> HTMLResponse:
    """The ways to log in that are set up. `problem` is the key of an error text.

    `after` is where to continue. Pass only the result of `own_path` or `file_address`.
    """
    # A page can be looked at without a login; a file cannot.
    refused = problem or after.startswith(("/d/", "/api/"))
    status = HTTPStatus.UNAUTHORIZED if refused else HTTPStatus.OK
    at_provider = setup.base + "/session/oidc" + (f"?{urlencode({'next': after})}" if after else "")
    return render(
        setup, "sign_in.html", status, problem=problem, after=after, at_provider=at_provider
    )


def logged_out_page(setup: PageSetup, address: str) -> HTMLResponse:
    """The page after logging out, which continues to the provider's logout page by itself."""
    texts = {"link_logged_in": "logged_out", "link_go_on": "logged_out_go_on"}
    page = setup.catalogue.page
    replaced = {name: page[other] for name, other in texts.items()}
    return render(setup, "continue.html", texts=replaced, address=address)


def task_centre_page(
    setup: PageSetup, services: Services, user: Principal, email: str | None = None
) -> HTMLResponse:
    """The task centre of `user`, whose own mail address is `email`. The script fetches the list."""
    forms = [
        (
            dataset,
            form_fields(
                dataset.params_schema(user, setup.catalogue.code), dataset.open_choices(user)
            ),
        )
        for dataset in services.registry
        if dataset.allows(user)
    ]
    return render(
        setup,
        "task_centre.html",
        texts={
            f"problem_{code}": explain(code, setup.catalogue.code).cause for code in _LOAD_PROBLEMS
        },
        user=user,
        sees_operations=services.admin_scope(user) is not None,
        forms=[(dataset, field_rows(fields)) for dataset, fields in forms],
        dataset_texts={
            dataset.name: _texts_of(dataset, fields, user, setup.catalogue.code)
            for dataset, fields in forms
        },
        mails_links=services.notification_rules.sends_mail
        and services.settings.public_url is not None,
        own_email=email if services.notification_rules.sends_mail else None,
        formats=FORMATS,
        csv_profiles=PROFILES,
        file_timezone=services.settings.timezone,
    )


def _texts_of(
    dataset: Dataset, fields: Sequence[Field], user: Principal, language: str
) -> dict[str, object]:
    """What the page calls the dataset, its columns and its parameters, and what is usual."""
    properties = dataset.params_schema(user, language).get("properties", {})
    return {
        "title": dataset.title_in(language),
        "reason": dataset.reason,
        "approval": dataset.approval is not None,
        "watermark": dataset.names_its_reader,
        "password": dataset.password,
        "columns": [asdict(column) for column in columns_seen(dataset, user, language)],
        "sheets": [sheet.title_in(language) for sheet in dataset.sheets],
        "formats": formats_of(dataset),
        "params": {
            field.name: {
                "label": field.label,
                "kind": field.kind,
                "default": properties[field.name].get("default"),
                "choices": {
                    choice.value: choice.label
                    for choice in field.choices
                    if choice.value not in ("true", "false")
                },
            }
            for field in fields
        },
    }


def render(
    setup: PageSetup,
    template: str,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    texts: Texts | None = None,
    **values: object,
) -> HTMLResponse:
    """A page from `template`, with the texts of the task centre and those in `texts`."""
    page = _templates.get_template(template)
    html = page.render(
        t={**setup.catalogue.page, **(texts or {})},
        language=setup.catalogue,
        languages=CATALOGUES.values(),
        base=setup.base,
        static=setup.static,
        own_login=setup.own_login,
        oidc=setup.oidc,
        token_form=setup.token_form,
        own_tokens=setup.own_tokens,
        **values,
    )
    headers = {**_HEADERS, "Content-Language": setup.catalogue.tag}
    return HTMLResponse(html, status, headers=headers)
