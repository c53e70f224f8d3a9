"""Development tokens, signed with the shared secret. Identity providers issue all others."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime, timedelta

import jwt

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import Settings


def mint(
    settings: Settings,
    user: str,
    tenant: str,
    roles: Set[str],
    ttl: timedelta = timedelta(hours=12),
    email: str | None = None,
) -> str:
    """A bearer token for `user`, valid from now for `ttl`.

    Raises:
        BadSettings: `WAYBILL_JWKS_URL` is set, so the API refuses tokens that are signed with the
            shared secret.
    """
    if settings.jwks_url:
        raise BadSettings(
            "WAYBILL_JWKS_URL is set: get a token from that identity provider instead."
        )
    now = datetime.now(UTC)
    # Under the whole name of a path, too, where claims are looked for first.
    claims = {
        "sub": user,
        settings.jwt_user_claim: user,
        settings.jwt_tenant_claim: tenant,
        settings.jwt_roles_claim.partition(",")[0]: sorted(roles),
        "aud": settings.jwt_audience,
        "iss": settings.jwt_issuer,
        "iat": now,
        "exp": now + ttl,
        **({"email": email, "email_verified": True} if email else {}),
    }
    return jwt.encode(claims, settings.signing_secret(), algorithm="HS256")
