"""What `waybill doctor` asks the identity provider."""

from __future__ import annotations

from waybill.api.session.provider_keys import count_keys
from waybill.infra.bootstrap import Stack


def check_identity_provider(stack: Stack) -> str:
    """How many keys it has for tokens, if there is one."""
    if stack.settings.jwks_url is None:
        return "none: tokens are signed with a shared secret"
    return f"{count_keys(stack.settings.jwks_url)} keys for tokens"
