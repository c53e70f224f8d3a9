"""Proxy login: the caller as a proxy that logs people in names them, such as oauth2-proxy.

Its headers count on connections from its own networks. Which address a connection comes from is
noted before anything reads `X-Forwarded-For`, so no client can choose it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from starlette.types import ASGIApp, Receive, Scope, Send

from waybill.api.http.peer import peer_of
from waybill.api.session.claims import BadClaim, our_roles, plain_text
from waybill.api.session.host_login import asks_for_somebody, note_identity, note_refusal
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.settings import Settings

log = logging.getLogger(__name__)


class ProxyLogin:
    """Notes who calls, for requests that a trusted proxy passes on with a user."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if asks_for_somebody(scope) and self._settings.is_login_proxy(peer_of(scope)):
            try:
                self._note(scope)
            except BadClaim as problem:
                log.warning("a proxy's headers name nobody", extra={"why": str(problem)})
                note_refusal(scope)
        await self._app(scope, receive, send)

    def _note(self, scope: Scope) -> None:
        """Note the caller, if the proxy names one. Without a user, a token of theirs counts.

        Raises:
            BadClaim: a header is there twice, or has something else than such a value.
        """
        settings = self._settings
        user = _header(scope, settings.proxy_user_header)
        if not user:
            return
        tenant = settings.proxy_tenant
        if settings.proxy_tenant_header:
            tenant = _header(scope, settings.proxy_tenant_header) or ""
        stated = (_header(scope, settings.proxy_roles_header) or "").split(",")
        roles = our_roles(filter(None, (role.strip() for role in stated)), settings)
        if not settings.may_operate(tenant):
            roles -= {settings.operator_role}
        person = Principal(
            plain_text(user, settings.proxy_user_header),
            plain_text(tenant, settings.proxy_tenant_header or "tenant"),
            frozenset(plain_text(role, settings.proxy_roles_header) for role in roles),
        )
        note_identity(scope, person, _header(scope, settings.proxy_email_header) or None)


def _header(scope: Scope, name: str) -> str | None:
    found = list(_values(scope, name.lower().encode()))
    if len(found) > 1:
        # One of them may be the client's.
        raise BadClaim(f"header {name} is there twice")
    if not found:
        return None
    try:
        return found[0].decode().strip()
    except UnicodeDecodeError:
        raise BadClaim(f"header {name} is not UTF-8") from None


def _values(scope: Scope, name: bytes) -> Iterator[bytes]:
    return (value for key, value in scope["headers"] if key == name)
