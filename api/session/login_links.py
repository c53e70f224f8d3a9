"""Login links: addresses of the page with a ticket, which log in once.

The ticket stands in the fragment, which browsers send to nobody, so no log has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from waybill.api.session.development_tokens import mint
from waybill.api.session.token_purpose import LONGEST_TICKET_LIFE, TICKET_TYPE
from waybill.exporter.datasets.principal import AttributeValue
from waybill.infra.config.settings import Settings

_FRAGMENT = "#ticket="


def login_link(
    settings: Settings,
    address: str,
    user: str,
    tenant: str,
    roles: Set[str],
    email: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> str:
    """A link that logs `user` in once, within five minutes. `address` is that of the page.

    Raises:
        BadSettings: `WAYBILL_JWKS_URL` is set, so the API does not accept our own tokens.
    """
    life = min(LONGEST_TICKET_LIFE, settings.max_token_life)
    ticket = mint(settings, user, tenant, roles, life, email, attributes, header_type=TICKET_TYPE)
    return f"{address.rstrip('/')}/session{_FRAGMENT}{ticket}"


def without_link(text: str) -> str:
    """The ticket of a whole login link, which people without scripts paste; else `text`."""
    return text.strip().rpartition(_FRAGMENT)[2]
