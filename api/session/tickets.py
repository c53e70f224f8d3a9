"""Tickets: signed texts that are exchanged for a session, once and within minutes.

Login links carry them (`login_links.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt

from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.session_tokens import issue
from waybill.api.session.token_purpose import TICKET_TYPE

if TYPE_CHECKING:
    from waybill.api.context import Context
    from waybill.api.session.tokens import Identity


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
    return context.verifier.verify_cookie(issue(settings, who.principal, who.email, "ticket"))
