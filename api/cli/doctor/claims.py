"""What `waybill doctor --token` says of a token: which claims the settings find in it."""

from __future__ import annotations

import sys
from typing import Any

import jwt

from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.claims import BadClaim, email_of, missing_claims, principal_of
from waybill.api.session.tokens import TokenVerifier
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import Settings


def read_token(argument: str) -> str:
    """The token that `argument` is, or that standard input has if it is ``-``."""
    return (sys.stdin.read() if argument == "-" else argument).strip()


def check_claims(stack: Stack, token: str) -> str:
    """Whom the claims of `token` describe, and whether the API accepts it.

    Raises:
        InvalidRequest: for the reason in its text, which names claims and repeats no value.
    """
    settings = stack.settings
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidRequest("It is no JWT: three parts in base64, with dots between.") from None
    missing = missing_claims(claims, settings)
    try:
        person = principal_of(claims, settings)
    except BadClaim as problem:
        raise InvalidRequest(f"{_first_upper(problem)}. It has {_listed(claims)}.") from None
    described = [
        f"user {person.user}, tenant {person.tenant}",
        f"roles {', '.join(sorted(person.roles)) or 'none'}",
        *(f"{name} = {value}" for name, value in person.attributes.items()),
        f"mail {email_of(claims, trusted=settings.trust_email_claim) or 'none that is verified'}",
        *(f"claim {name} is missing" for name in missing),
    ]
    if why := _refusal(settings, token):
        raise InvalidRequest(f"It describes {'; '.join(described)}. The API refuses it: {why}.")
    return "; ".join([*described, "the API accepts it"])


def _refusal(settings: Settings, token: str) -> str | None:
    verifier = TokenVerifier(settings)
    try:
        verifier.verify(token)
    except IdentityProviderDown:
        return "the provider's keys cannot be fetched"
    except Unauthenticated as refusal:
        return "; ".join(refusal.__notes__)
    finally:
        verifier.close()
    return None


def _listed(claims: dict[str, Any]) -> str:
    return ", ".join(sorted(claims)) or "no claim at all"


def _first_upper(problem: Exception) -> str:
    text = str(problem)
    return text[:1].upper() + text[1:]
