"""`waybill token` and `waybill webhook-secret`: credentials for development and for receivers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from waybill.api.cli.attributes import attributes_of
from waybill.api.cli.console import JsonFlag, emit
from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load

#: Where `waybill serve` listens by default.
_LOCAL_ADDRESS = "http://127.0.0.1:8000"


def token(
    user: Annotated[str, typer.Option(help="Subject of the token.")],
    tenant: Annotated[str, typer.Option(help="Tenant of the user.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
    hours: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=24 * 30,
            help="Lifetime in hours, up to WAYBILL_MAX_TOKEN_LIFE. Default: 12, if it may be.",
        ),
    ] = None,
    email: Annotated[str | None, typer.Option(help="Mail address of the user.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="An attribute, as name=value; several make a list. See `waybill export`."
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option("--open", help="Print a link that logs in once, within five minutes."),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the page in that link. Default: WAYBILL_PUBLIC_URL, or port 8000 here."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print a token for development, and nothing else.

    With --open, print a link that logs in once.
    """
    from waybill.api.session.development_tokens import mint
    from waybill.api.session.login_links import login_link

    settings, roles = load(), frozenset(role or ())
    attributes = attributes_of(attribute or ())
    if link:
        if hours is not None:
            raise InvalidRequest("--hours is about tokens: a link of --open is valid for minutes.")
        address = url or settings.public_url or _LOCAL_ADDRESS
        text = login_link(settings, address, user, tenant, roles, email, attributes)
        emit({"link": text}, text, as_json=as_json)
        return
    ttl = None if hours is None else timedelta(hours=hours)
    text = mint(settings, user, tenant, roles, ttl, email, attributes)
    emit({"token": text}, text, as_json=as_json)


def webhook_secret(
    tenant: Annotated[str, typer.Option(help="Tenant whose webhooks are verified with it.")],
    as_json: JsonFlag = False,
) -> None:
    """Print the secrets that webhooks of a tenant are signed with; the current one first."""
    from waybill.infra.notifications.rules import build_signer

    signer = build_signer(load())
    if signer is None:
        raise BadSettings("WAYBILL_WEBHOOK_SECRETS is not set: no webhooks are signed.")
    secrets = signer.secrets_of(tenant)
    emit({"secrets": secrets}, "\n".join(secrets), as_json=as_json)
