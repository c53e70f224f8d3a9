"""Development tokens, signed with the shared secret. Identity providers issue all others."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import Settings

_DEFAULT_LIFE = timedelta(hours=12)


def mint(
    settings: Settings,
    user: str,
    tenant: str,
    roles: Set[str],
    ttl: timedelta | None = None,
    email: str | None = None,
    *,
    header_type: str = "JWT",
) -> str:
    """A bearer token for `user`, valid from now for `ttl`; by default for half a day.

    Raises:
        InvalidRequest: no token may be valid for so long (`WAYBILL_MAX_TOKEN_LIFE`).
        BadSettings: `WAYBILL_JWKS_URL` is set, so the API refuses tokens that are signed with the
            shared secret.
    """
    if settings.jwks_url:
        raise BadSettings(
            "WAYBILL_JWKS_URL is set: get a token from that identity provider instead."
        )
    longest = settings.max_token_life
    if ttl is not None and ttl > longest:
        raise InvalidRequest(
            "WAYBILL_MAX_TOKEN_LIFE lets a token be valid for"
            f" {longest.total_seconds() / 3600:g} hours at most."
        )
    now = datetime.now(UTC)
    ttl = min(_DEFAULT_LIFE, longest) if ttl is None else ttl
    # Under the whole name of a path, too, where claims are looked for first.
    claims = {
        "sub": user,
        settings.jwt_user_claim: user,
        settings.jwt_tenant_claim: tenant,
        settings.jwt_roles_claim.partition(",")[0]: sorted(roles),
        "aud": settings.jwt_audience,
        "iss": settings.jwt_issuer,
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + ttl,
        **({"email": email, "email_verified": True} if email else {}),
    }
    return jwt.encode(
        claims, settings.signing_secret(), algorithm="HS256", headers={"typ": header_type}
    )
