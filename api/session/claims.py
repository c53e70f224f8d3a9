"""Who a token speaks for, by the claims that the settings name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from waybill.exporter.datasets.principal import AttributeItem, AttributeValue, Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.identity import IdentitySettings

_PLAIN_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
#: Of an attribute's text.
_MAX_TEXT = 1000
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
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
        BadClaim: there is no user or no tenant, or a claim holds no such value.
    """
    stated = (role for name in names.jwt_roles_claim.split(",") for role in _roles(claims, name))
    return Principal(
        user=_name(claims, names.jwt_user_claim),
        tenant=_name(claims, names.jwt_tenant_claim),
        roles=our_roles(stated, names),
        attributes=dict(_attributes(claims, names)),
    )


def our_roles(stated: Iterable[str], names: IdentitySettings) -> frozenset[str]:
    """What the roles that a provider states are called here. Without a map, they keep their names.

    With one, a role that it does not name is none: a provider's own `admin` administers nothing.
    """
    found = frozenset(stated)
    if not names.role_map:
        return found
    return frozenset(ours for theirs, ours in names.role_map if theirs in found)


def stated_roles(roles: Iterable[str], names: IdentitySettings) -> list[str]:
    """The provider's names of `roles`; the reverse of `our_roles`, for tokens of our own.

    Raises:
        InvalidRequest: the map has no name that stands for such a role and for no other.
    """
    if not names.role_map:
        return sorted(roles)
    wanted, found = frozenset(roles), []
    for role in sorted(wanted):
        name = next(
            (
                it
                for it, ours in names.role_map
                if ours == role and our_roles([it], names) <= wanted
            ),
            None,
        )
        if name is None:
            raise InvalidRequest(f"WAYBILL_ROLE_MAP names nothing that is the role {role!r} alone.")
        found.append(name)
    return found


def missing_claims(claims: Mapping[str, Any], names: IdentitySettings) -> list[str]:
    """Every claim that the settings name and `claims` lack, those of a mail address aside."""
    wanted = [
        names.jwt_user_claim,
        names.jwt_tenant_claim,
        *names.jwt_roles_claim.split(","),
        *(claim for _, claim in names.jwt_attributes),
    ]
    return [name for name in wanted if _find(claims, name) is _MISSING]


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
    return plain_text(value, name)


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
        yield plain_text(role, name)


def _attributes(
    claims: Mapping[str, Any], names: IdentitySettings
) -> Iterator[tuple[str, AttributeValue]]:
    for attribute, claim in names.jwt_attributes:
        value = _find(claims, claim)
        if value is _MISSING or value is None:
            continue
        if isinstance(value, list):
            yield attribute, [_attribute_item(item, claim) for item in value]
        else:
            yield attribute, _attribute_item(value, claim)


def _attribute_item(value: object, claim: str) -> AttributeItem:
    # PostgreSQL's JSON has no NUL, and a number beyond 64 bits is no value of any column.
    if isinstance(value, str) and len(value) <= _MAX_TEXT and not _UNSTORABLE.search(value):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    raise BadClaim(f"claim {claim} is no text, whole number, boolean, or list of these")


def plain_text(value: object, name: str) -> str:
    """`value`, if it may name a user, a tenant or a role.

    Raises:
        BadClaim: it may not; the message has `name`, and not the value.
    """
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
