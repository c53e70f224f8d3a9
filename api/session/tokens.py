"""Bearer token verification: signature, claims, and the identity in a token.

Algorithms are pinned here and keys come from the settings, so nothing inside a token
(`alg`, `kid`, `jku`, `x5c`) decides how that token is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.config.settings import Settings

_REQUIRED_CLAIMS = ["exp", "iat", "sub", "aud", "iss"]
#: The clocks of two servers differ by less than this. RELIABILITY.md R16 allows a minute.
_LEEWAY = timedelta(seconds=30)
#: Larger than any identity provider's token. Longer ones are refused before they are parsed.
_MAX_TOKEN_CHARS = 8192
_KEYS_TIMEOUT_SECONDS = 5
_PLAIN_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")


@dataclass(frozen=True, slots=True)
class Identity:
    """The principal that a token stands for, and when the token expires."""

    principal: Principal
    expires_at: datetime
    #: Long-lived requests verify it again. Never shown in a repr.
    token: str = field(repr=False)
    #: The mail address, if the identity provider states one.
    email: str | None = None


class TokenVerifier:
    """Checks tokens: HS256 with the shared secret, or RS256 and ES256 with a JWKS."""

    def __init__(self, settings: Settings) -> None:
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._roles = settings
        self._secret: str | None = None
        self._keys: jwt.PyJWKClient | None = None
        if settings.jwks_url:
            self._keys = jwt.PyJWKClient(settings.jwks_url, timeout=_KEYS_TIMEOUT_SECONDS)
        else:
            self._secret = settings.signing_secret()

    def verify(self, token: str) -> Identity:
        """The identity in `token`. May fetch keys over HTTP, so never call it in the event loop.

        Raises:
            Unauthenticated: for any reason; a forger learns nothing from the answer.
            IdentityProviderDown: its keys are needed and cannot be fetched.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            raise Unauthenticated
        try:
            return _identity(self._claims(token), token, self._roles)
        except jwt.PyJWKClientConnectionError:
            raise IdentityProviderDown from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            # Hostile tokens also break parsers: deep nesting, unexpected types, huge times.
            raise Unauthenticated from None

    def _claims(self, token: str) -> dict[str, Any]:
        if self._keys is None:
            return self._decode(token, self._secret or "", ["HS256"])
        return self._decode(token, self._keys.get_signing_key_from_jwt(token), ["RS256", "ES256"])

    def _decode(self, token: str, key: str | jwt.PyJWK, algorithms: list[str]) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=_LEEWAY,
            options={"require": _REQUIRED_CLAIMS},
        )


def _identity(claims: dict[str, Any], token: str, admin_roles: AdminRoles) -> Identity:
    listed = claims.get("roles", [])
    if not isinstance(listed, list):
        raise Unauthenticated
    tenant = _text(claims.get("tenant"))
    roles = frozenset(_text(role) for role in listed)
    if not admin_roles.may_operate(tenant):
        # Here, so that nothing behind it sees a role that this tenant cannot give.
        roles -= {admin_roles.operator_role}
    return Identity(
        Principal(user=_text(claims["sub"]), tenant=tenant, roles=roles),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        token=token,
        email=_email(claims),
    )


def _email(claims: dict[str, Any]) -> str | None:
    """The `email` claim, unless the provider marks it as unverified."""
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified", True) is not True:
        return None
    return email


def _text(claim: object) -> str:
    if not isinstance(claim, str) or not _PLAIN_TEXT.fullmatch(claim):
        raise Unauthenticated
    return claim
