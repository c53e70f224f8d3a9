"""Session tokens: what the session cookie holds after a login that no token of the caller made.

They are signed with a key of their own, and are good in the cookie only: no route takes one as a
bearer token. They state user, tenant, roles and attributes as Waybill knows them, so no setting of
claims and no role map is applied to them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.settings import Settings

SESSION_TYPE = "waybill-session+jwt"
_LONGEST_SESSION = timedelta(hours=12)


def issue(settings: Settings, person: Principal, email: str | None, way: str) -> str:
    """A session of `person` for half a day, or `WAYBILL_MAX_TOKEN_LIFE` if that is shorter.

    `way` names how they logged in; see `Identity.way`.
    """
    now = datetime.now(UTC)
    claims = {
        "sub": person.user,
        "tenant": person.tenant,
        "roles": sorted(person.roles),
        "attributes": dict(person.attributes),
        "email": email,
        "way": way,
        "aud": settings.jwt_audience,
        "iss": settings.jwt_issuer,
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + min(_LONGEST_SESSION, settings.max_token_life),
    }
    return jwt.encode(
        {name: value for name, value in claims.items() if value},
        key_of(settings),
        algorithm="HS256",
        headers={"typ": SESSION_TYPE},
    )


def key_of(settings: Settings) -> bytes:
    """The key of session tokens."""
    return settings.derived_key("session tokens")


def is_session(token: str) -> bool:
    """Whether `token` says of itself that it is a session token. Nothing of it is verified."""
    try:
        return jwt.get_unverified_header(token).get("typ") == SESSION_TYPE
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False


def person_of(claims: Mapping[str, Any]) -> Principal:
    """The caller that the verified `claims` of a session token state."""
    return Principal(
        claims["sub"],
        claims["tenant"],
        frozenset(claims.get("roles", ())),
        claims.get("attributes", {}),
    )
