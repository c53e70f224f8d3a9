"""Development tokens, signed with the shared secret. Identity providers issue all others."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt

from waybill.api.session.claims import stated_roles
from waybill.exporter.datasets.principal import AttributeValue
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
    attributes: Mapping[str, AttributeValue] | None = None,
    *,
    header_type: str = "JWT",
) -> str:
    """A bearer token for `user`, valid from now for `ttl`; by default for half a day.

    Raises:
        InvalidRequest: no token may be valid for so long (`WAYBILL_MAX_TOKEN_LIFE`), or the
            settings name no claim for an attribute, or the role map no such role.
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
    places = dict(settings.jwt_attributes)
    if unknown := sorted(set(attributes or {}) - set(places)):
        raise InvalidRequest(f"WAYBILL_JWT_ATTRIBUTES names no claim for {', '.join(unknown)}.")
    now = datetime.now(UTC)
    ttl = min(_DEFAULT_LIFE, longest) if ttl is None else ttl
    # Under the whole name of a path, too, where claims are looked for first.
    claims = {
        "sub": user,
        settings.jwt_user_claim: user,
        settings.jwt_tenant_claim: tenant,
        settings.jwt_roles_claim.partition(",")[0]: stated_roles(roles, settings),
        **{places[name]: value for name, value in (attributes or {}).items()},
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
