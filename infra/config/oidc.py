"""Settings of the login by OpenID Connect."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from waybill.infra.config.addresses import is_loopback
from waybill.infra.config.value_types import OptionalSecret, OptionalText


class OidcSettings(BaseModel):
    """The part of `Settings` that is about it."""

    oidc_issuer: OptionalText = Field(
        None,
        description="Identity provider that people log in at, by OpenID Connect: the address "
        "before `/.well-known/openid-configuration`. Needs WAYBILL_OIDC_CLIENT_ID and "
        "WAYBILL_PUBLIC_URL; register `<public URL>/session/oidc/callback` there. Default: none.",
    )
    oidc_client_id: OptionalText = Field(None, description="Our name at that provider.")
    oidc_client_secret: OptionalSecret = Field(
        None, description="Our secret at that provider. Default: none, as a public client."
    )
    oidc_scopes: str = Field(
        "openid profile email",
        description="Scopes to ask for, separated by spaces; `openid` is one of them.",
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _comes_over_tls(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be https:// and the address of an identity provider")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("must have no user, query or fragment")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must be https://: http:// is for this machine only")
        return value.removesuffix("/.well-known/openid-configuration")

    @field_validator("oidc_scopes")
    @classmethod
    def _asks_for_an_id_token(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("must have `openid` among the scopes")
        return " ".join(value.split())
