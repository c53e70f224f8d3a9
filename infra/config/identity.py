"""Settings of tokens: the claims in which a provider states who a user is, and their lifetime."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from waybill.infra.config.value_types import Seconds

#: No claim of a provider has a longer name, and the longest paths are followed in no time.
_CLAIM = r"[^\x00-\x20,]{1,200}"
#: No setting lets a token live longer, so that a revocation may end after this time.
LONGEST_TOKEN_LIFE = timedelta(days=30)
_PATH = "A path such as `realm_access.roles` leads into an object; a name with dots works, too."


class IdentitySettings(BaseModel):
    """The part of `Settings` that is about tokens."""

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
    max_token_life: Seconds = Field(
        timedelta(days=1),
        ge=timedelta(minutes=1),
        le=LONGEST_TOKEN_LIFE,
        description="Seconds from `iat` to `exp` of a token at most; one that is valid for longer "
        "is refused. At most 30 days.",
    )
