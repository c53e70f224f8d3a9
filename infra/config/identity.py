"""Settings of tokens: the claims in which a provider states who a user is, and their lifetime."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from waybill.infra.config.addresses import is_loopback
from waybill.infra.config.stored_secret import MIN_SECRET_BYTES
from waybill.infra.config.value_types import OptionalSecret, OptionalText, Seconds

#: No claim of a provider has a longer name, and the longest paths are followed in no time.
_CLAIM = r"[^\x00-\x20,]{1,200}"
#: No setting lets a token live longer, so that a revocation may end after this time.
LONGEST_TOKEN_LIFE = timedelta(days=30)
_PATH = "A path such as `realm_access.roles` leads into an object; a name with dots works, too."


_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _attributes(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = []
    for entry in filter(None, (item.strip() for item in value.split(","))):
        name, separator, claim = (part.strip() for part in entry.partition("="))
        claim = claim if separator else name
        if not _ATTRIBUTE.fullmatch(name) or not re.fullmatch(_CLAIM, claim):
            raise ValueError("must look like region,store=shop.id: a name, or name=claim")
        pairs.append((name, claim))
    if len(dict(pairs)) < len(pairs):
        raise ValueError("names an attribute twice")
    return tuple(pairs)


def _role_map(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        entries = [
            (theirs, ours)
            for theirs, found in json.loads(value).items()
            for ours in (found if isinstance(found, list) else [found])
        ]
    else:
        split = [item.rpartition("=") for item in value.split(",") if item.strip()]
        entries = [(theirs.strip(), ours.strip()) for theirs, _, ours in split]
    if not all(isinstance(ours, str) and theirs and ours for theirs, ours in entries):
        raise ValueError("must look like finance-team=sales,it-ops=waybill-operator")
    return tuple(entries)


#: Pairs of an attribute and the claim that states it.
AttributeClaims = Annotated[tuple[tuple[str, str], ...], NoDecode, BeforeValidator(_attributes)]
#: Pairs of a role of the provider's and one of ours.
RoleMap = Annotated[tuple[tuple[str, str], ...], NoDecode, BeforeValidator(_role_map)]


class IdentitySettings(BaseModel):
    """The part of `Settings` that is about tokens."""

    jwt_secret: OptionalSecret = Field(
        None, description="Shared HS256 secret. Default: a random one kept in WAYBILL_HOME."
    )
    jwks_url: OptionalText = Field(
        None,
        description="JWKS of the identity provider (RS256, ES256): the `jwks_uri` of its discovery "
        "document.",
    )
    jwt_audience: str = Field("waybill", description="Expected `aud`.")
    jwt_issuer: str = Field("waybill", description="Expected `iss`.")
    trust_email_claim: bool = Field(
        False,
        description="Accept `email` of a token that has no `email_verified`. Only for identity "
        "providers that verify every address: elsewhere users choose whom Waybill sends mails to.",
    )
    jwt_user_claim: str = Field(
        "sub",
        pattern=f"^{_CLAIM}$",
        description="Claim with the user, a text or a whole number. It owns its exports, so it has "
        f"to stay the same for one person. {_PATH}",
    )
    jwt_tenant_claim: str = Field(
        "tenant",
        pattern=f"^{_CLAIM}$",
        description="Claim with the tenant, a text or a whole number; tokens without it are "
        "refused. With `iss`, all users of the provider are one tenant.",
    )
    jwt_roles_claim: str = Field(
        "roles",
        pattern=f"^{_CLAIM}(,{_CLAIM})*$",
        description="Claim with the roles, a list of texts or one text; `scope` and `scp` are "
        "lists separated by spaces. Several claims, separated by commas, are taken together.",
    )
    role_map: RoleMap = Field(
        (),
        description="What the provider's roles are called here: "
        "`finance-team=sales,it-ops=waybill-operator`. Roles that it does not name then count for "
        'nothing. Names with commas: a JSON object, `{"CN=ops,OU=it": ["waybill-operator"]}`.',
    )
    jwt_attributes: AttributeClaims = Field(
        (),
        description="Claims for row rules, as `region,store=shop.id`: `user.attributes` of a "
        "dataset then has `region` and `store`. Texts, whole numbers, booleans, and lists of them.",
    )
    max_token_life: Seconds = Field(
        timedelta(days=1),
        ge=timedelta(minutes=1),
        le=LONGEST_TOKEN_LIFE,
        description="Seconds from `iat` to `exp` of a token at most; one that is valid for longer "
        "is refused. At most 30 days.",
    )

    @field_validator("jwt_secret")
    @classmethod
    def _secret_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes")
        return value

    @field_validator("jwks_url")
    @classmethod
    def _keys_come_over_tls(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://none")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be https:// and the address of a key set")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must be https://: over http:// anybody on the way chooses the keys")
        return value
