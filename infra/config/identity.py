"""Settings of the claims in which an identity provider states who a user is."""

from __future__ import annotations

from pydantic import BaseModel, Field

#: No claim of a provider has a longer name, and the longest paths are followed in no time.
_CLAIM = r"[^\x00-\x20,]{1,200}"
_PATH = "A path such as `realm_access.roles` leads into an object; a name with dots works, too."


class IdentitySettings(BaseModel):
    """The part of `Settings` that is about claims."""

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
