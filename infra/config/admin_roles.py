"""Settings of the two roles that see more than their own exports."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationInfo, field_validator


class AdminRoles(BaseModel):
    """The part of `Settings` that names the operator role and the admin role."""

    operator_role: str = Field(
        "waybill-operator",
        min_length=1,
        description="Role whose holders see the tasks, deliveries, dead letters and audit entries "
        "of all tenants. It gives no right to export a dataset.",
    )
    operator_tenants: str = Field(
        "",
        description="Tenants, separated by commas, whose tokens may carry WAYBILL_OPERATOR_ROLE; "
        "in other tokens it is ignored. Default: all.",
    )
    admin_role: str = Field(
        "admin",
        min_length=1,
        description="Role whose holders see the same of their own tenant only. It gives no right "
        "to export a dataset.",
    )

    @field_validator("admin_role")
    @classmethod
    def _roles_differ(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("operator_role"):
            raise ValueError("must differ from WAYBILL_OPERATOR_ROLE")
        return value

    def may_operate(self, tenant: str) -> bool:
        """Whether a token of `tenant` may carry the operator role."""
        named = {item.strip() for item in self.operator_tenants.split(",")} - {""}
        return not named or tenant in named
