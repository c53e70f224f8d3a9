"""Tickets: signed texts that are exchanged for a session, once and within minutes.

They stand in the fragment of a login link, which browsers send to nobody, so no log has them.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

import jwt

from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.development_tokens import mint
from waybill.api.session.token_purpose import TICKET_TYPE
from waybill.infra.config.settings import Settings
from waybill.infra.sessions.tickets import LONGEST_TICKET_LIFE

if TYPE_CHECKING:
    from waybill.api.context import Context
    from waybill.api.session.tokens import Identity

_FRAGMENT = "#ticket="


def login_link(
    settings: Settings,
    address: str,
    user: str,
    tenant: str,
    roles: Set[str],
    email: str | None = None,
) -> str:
    """A link that logs `user` in once, within five minutes. `address` is that of the page.

    Raises:
        BadSettings: `WAYBILL_JWKS_URL` is set, so the API does not accept our own tokens.
    """
    life = min(LONGEST_TICKET_LIFE, settings.max_token_life)
    ticket = mint(settings, user, tenant, roles, life, email, header_type=TICKET_TYPE)
    return f"{address.rstrip('/')}/session{_FRAGMENT}{ticket}"


def without_link(text: str) -> str:
    """The ticket of a whole login link, which people without scripts paste; else `text`."""
    return text.strip().rpartition(_FRAGMENT)[2]


def is_ticket(text: str) -> bool:
    """Whether `text` says of itself that it is a ticket. Nothing of it is verified."""
    try:
        return jwt.get_unverified_header(text).get("typ") == TICKET_TYPE
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False


def exchange(context: Context, ticket: str) -> Identity:
    """A session for `ticket`, which is used up by it.

    Raises:
        Unauthenticated: it was used, has expired, was revoked or is not ours.
        RevocationsUnread: the denylist has not been read yet.
    """
    settings = context.services.settings
    who = context.verifier.verify_ticket(ticket)
    if not context.services.tickets.use(who.issued):
        raise Unauthenticated
    person = who.principal
    return context.verifier.verify(
        mint(settings, person.user, person.tenant, person.roles, email=who.email)
    )
