"""What a token was issued for: an access token lets a caller in, and no other kind does.

Providers sign ID tokens, refresh tokens and notices with the same keys, and some put the same
audience into them. What says that a token is one of these is taken at its word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

#: The header `typ`: RFC 7519, 5.1, and RFC 9068, 2.1. Logout tokens, security events and proofs of
#: possession have others.
_PLAIN_TYPES = ("jwt", "application/jwt")
_ACCESS_TOKEN_TYPES = ("at+jwt", "application/at+jwt")
#: Our own: exchanged for a session, and good for nothing else. See `waybill.api.session.tickets`.
TICKET_TYPE = "waybill-ticket+jwt"
#: From `iat` to `exp` at most: a link is opened at once, or made again.
LONGEST_TICKET_LIFE = timedelta(minutes=5)
#: Claims in which some providers state the type, and its value for an access token: Keycloak
#: (`Bearer`, `ID`, `Refresh`, `Logout`), and Amazon Cognito (`access`, `id`).
_STATED_TYPES: Mapping[str, str] = {"typ": "bearer", "token_use": "access"}
#: Hashes of other tokens are in ID tokens only. (OpenID Connect Core, 3.3.2.11)
_ID_TOKEN_CLAIMS = ("at_hash", "c_hash", "s_hash")
#: Logout tokens and other notices. (RFC 8417, 2.2)
_EVENT_CLAIM = "events"
#: In ID tokens; old versions of Keycloak repeat it in access tokens, and state the type of these.
_NONCE = "nonce"


def other_purpose(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str | None:
    """Why a token is no access token, in a few words without its values; None if it may be one."""
    kind = header.get("typ", _PLAIN_TYPES[0])
    if not isinstance(kind, str) or kind.lower() not in _PLAIN_TYPES + _ACCESS_TOKEN_TYPES:
        return "header typ is not that of an access token"
    stated = kind.lower() in _ACCESS_TOKEN_TYPES
    for claim, access in _STATED_TYPES.items():
        if claim in claims:
            if str(claims[claim]).lower() != access:
                return f"claim {claim} is not that of an access token"
            stated = True
    others = (*_ID_TOKEN_CLAIMS, _EVENT_CLAIM, *(() if stated else (_NONCE,)))
    found = next((claim for claim in others if claim in claims), None)
    return None if found is None else f"claim {found} is not one of an access token"
