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

from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.provider_keys import ProviderKeys
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.settings import Settings

_REQUIRED_CLAIMS = ["exp", "iat", "sub", "aud", "iss"]
#: The clocks of two servers differ by less than this. RELIABILITY.md R16 allows a minute.
_LEEWAY = timedelta(seconds=30)
#: Larger than any identity provider's token. Longer ones are refused before they are parsed.
_MAX_TOKEN_CHARS = 8192
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

    def __init__(self, settings: Settings, keys: ProviderKeys | None = None) -> None:
        """`keys` replace those of the settings' identity provider."""
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._settings = settings
        self._secret: str | None = None
        self._keys = keys
        if settings.jwks_url:
            self._keys = keys or ProviderKeys(settings.jwks_url)
        else:
            self._secret = settings.signing_secret()

    def start(self) -> None:
        """Fetch the keys of the identity provider, if there is one, and keep them fresh."""
        if self._keys:
            self._keys.start()

    def close(self) -> None:
        """Fetch no more keys."""
        if self._keys:
            self._keys.close()

    def verify(self, token: str) -> Identity:
        """The identity in `token`. Waits for no network once `start` has returned.

        Raises:
            Unauthenticated: for any reason; a forger learns nothing from the answer.
            IdentityProviderDown: its keys are needed and have not been fetched.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            raise Unauthenticated
        try:
            return _identity(self._claims(token), token, self._settings)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            # Hostile tokens also break parsers: deep nesting, unexpected types, huge times.
            raise Unauthenticated from None

    def _claims(self, token: str) -> dict[str, Any]:
        if self._keys is None:
            return self._decode(token, self._secret or "", ["HS256"])
        key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
        return self._decode(token, key, ["RS256", "ES256"])

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


def _identity(claims: dict[str, Any], token: str, settings: Settings) -> Identity:
    listed = claims.get("roles", [])
    if not isinstance(listed, list):
        raise Unauthenticated
    tenant = _text(claims.get("tenant"))
    roles = frozenset(_text(role) for role in listed)
    if not settings.may_operate(tenant):
        # Here, so that nothing behind it sees a role that this tenant cannot give.
        roles -= {settings.operator_role}
    return Identity(
        Principal(user=_text(claims["sub"]), tenant=tenant, roles=roles),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        token=token,
        email=_email(claims, settings.trust_email_claim),
    )


def _email(claims: dict[str, Any], trusted: bool) -> str | None:
    """The `email` claim, if the provider states that it has verified it.

    Some providers let users choose an address and state nothing; some verify all and state nothing
    either, so for these an operator may have it `trusted`.
    """
    email, verified = claims.get("email"), claims.get("email_verified")
    if isinstance(email, str) and (verified is True or (verified is None and trusted)):
        return email
    return None


def _text(claim: object) -> str:
    if not isinstance(claim, str) or not _PLAIN_TEXT.fullmatch(claim):
        raise Unauthenticated
    return claim
