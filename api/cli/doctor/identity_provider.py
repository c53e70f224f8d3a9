"""What `waybill doctor` asks the identity provider."""

from __future__ import annotations

from waybill.api.problems.errors import IdentityProviderDown
from waybill.api.session.oidc.failures import LoginFailed
from waybill.api.session.oidc.provider import Provider
from waybill.api.session.provider_keys import count_keys
from waybill.infra.bootstrap import Stack


def check_identity_provider(stack: Stack) -> str:
    """How many keys it has for tokens, if there is one."""
    if stack.settings.jwks_url is None:
        return "none: tokens are signed with a shared secret"
    return f"{count_keys(stack.settings.jwks_url)} keys for tokens"


def check_login(stack: Stack) -> str:
    """How people log in, and whether the provider they log in at answers."""
    settings = stack.settings
    if settings.oidc_issuer is None:
        return "by access tokens and login links"
    provider = Provider(settings, settings.oidc_issuer)
    try:
        return f"at {provider.check()}"
    except LoginFailed as error:
        raise IdentityProviderDown(f"WAYBILL_OIDC_ISSUER: {error}.") from error
    finally:
        provider.close()
