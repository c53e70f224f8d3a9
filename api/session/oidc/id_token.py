"""ID tokens: who logged in, as the provider signed it for us and for this login.

Algorithms and keys come from the provider's key set and never from the token.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from waybill.api.session.oidc.failures import REFUSED, LoginFailed
from waybill.api.session.provider_keys import ProviderKeys

#: The clocks of two servers differ by less than this.
_LEEWAY = timedelta(seconds=30)
_MAX_CHARS = 32_768
_ALGORITHMS = ["RS256", "ES256"]
_REQUIRED = ["exp", "iat", "sub", "aud", "iss", "nonce"]


def verified_claims(
    token: str,
    keys: ProviderKeys,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
) -> dict[str, Any]:
    """The claims of an ID token that was issued by `issuer`, for `client_id` and for this login.

    Raises:
        LoginFailed: any check of OpenID Connect Core, 3.1.3.7, fails.
        Unauthenticated, IdentityProviderDown: its key is unknown, or cannot be fetched.
    """
    if len(token) > _MAX_CHARS:
        raise LoginFailed(REFUSED, "the ID token is too long")
    try:
        key = keys.find_new(jwt.get_unverified_header(token).get("kid"))
        verified = jwt.decode_complete(
            token,
            key,
            algorithms=_ALGORITHMS,
            audience=client_id,
            issuer=issuer,
            leeway=_LEEWAY,
            options={"require": _REQUIRED},
        )
        claims: dict[str, Any] = verified["payload"]
        params = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
        # Nonce, authorised party, and the hash of the access token.
        CodeIDToken(claims, verified["header"], params=params).validate(
            leeway=_LEEWAY.total_seconds()
        )
    except (jwt.PyJWTError, JoseError) as error:
        claim = getattr(error, "claim", None)
        named = f" ({claim})" if isinstance(claim, str) else ""
        raise LoginFailed(REFUSED, f"the ID token: {type(error).__name__}{named}") from None
    except (ValueError, TypeError, OverflowError, RecursionError, KeyError) as error:
        raise LoginFailed(REFUSED, f"the ID token: {type(error).__name__}") from None
    return claims
