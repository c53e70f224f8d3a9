"""Who a token speaks for: user, tenant, roles and mail address, by the claims the settings name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.identity import IdentitySettings

_PLAIN_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
#: Claims that OAuth 2.0 defines as lists separated by spaces. (RFC 8693, 4.2)
_SPACED = ("scope", "scp")
#: Deeper than any provider nests its claims.
_MAX_DEPTH = 8
_MISSING = object()


class BadClaim(ValueError):
    """A claim is missing or is of another kind. The message names it and not its value."""


def principal_of(claims: Mapping[str, Any], names: IdentitySettings) -> Principal:
    """The caller that `claims` state.

    Raises:
        BadClaim: there is no user or no tenant, or one of the three is no such value.
    """
    return Principal(
        user=_name(claims, names.jwt_user_claim),
        tenant=_name(claims, names.jwt_tenant_claim),
        roles=frozenset(
            role for name in names.jwt_roles_claim.split(",") for role in _roles(claims, name)
        ),
    )


def missing_role_claims(claims: Mapping[str, Any], names: IdentitySettings) -> list[str]:
    """The claims for roles that the settings name and `claims` lack."""
    return [name for name in names.jwt_roles_claim.split(",") if _find(claims, name) is _MISSING]


def email_of(claims: Mapping[str, Any], *, trusted: bool) -> str | None:
    """The `email` claim, if the provider states that it has verified it.

    Some providers let users choose an address and state nothing; some verify all and state nothing
    either, so for these an operator may have it `trusted`.
    """
    email, verified = claims.get("email"), claims.get("email_verified")
    if isinstance(email, str) and (verified is True or (verified is None and trusted)):
        return email
    return None


def _name(claims: Mapping[str, Any], name: str) -> str:
    value = _find(claims, name)
    if value is _MISSING:
        raise BadClaim(f"claim {name} is missing")
    # Some providers number their organisations. `True` is an int to Python alone.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _plain(value, name)


def _roles(claims: Mapping[str, Any], name: str) -> Iterator[str]:
    value = _find(claims, name)
    if value is _MISSING or value is None:
        return
    if isinstance(value, str):
        # Elsewhere a space may be part of a role's name, and half of it another role.
        value = value.split() if name in _SPACED else [value]
    if not isinstance(value, list):
        raise BadClaim(f"claim {name} is neither a list nor a text")
    for role in value:
        yield _plain(role, name)


def _plain(value: object, name: str) -> str:
    if not isinstance(value, str) or not _PLAIN_TEXT.fullmatch(value):
        raise BadClaim(f"claim {name} holds something else than a text of 1 to 255 characters")
    return value


def _find(claims: object, path: str, depth: int = 0) -> object:
    """The value at `path`, whose dots separate names or belong to one, as in a URL."""
    if not isinstance(claims, Mapping) or depth > _MAX_DEPTH:
        return _MISSING
    if path in claims:
        return claims[path]
    for dot in (index for index, letter in enumerate(path) if letter == "."):
        found = _find(claims.get(path[:dot]), path[dot + 1 :], depth + 1)
        if found is not _MISSING:
            return found
    return _MISSING
