"""Limits of one user and one tenant: how much they may have at once, in a minute and in a day.

They keep one user from taking what belongs to everybody. People who work by hand should never
reach them.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from waybill.infra.config.value_types import PerPeriod

#: Larger than any count.
_NO_LIMIT = 2**62


class Limits(BaseModel):
    """Inclusive upper bounds, and the part of `Settings` that holds them."""

    max_queued_per_user: int = Field(
        1_000, ge=1, description="Waiting and running exports of one user; more get 429."
    )
    max_queued_per_tenant: int = Field(
        10_000, ge=1, description="Waiting and running exports of one tenant; more get 429."
    )
    max_running_per_user: int = Field(
        20, ge=1, description="Exports of one user that run at once; the others wait."
    )
    max_running_per_tenant: int = Field(
        50, ge=1, description="Exports of one tenant that run at once; the others wait."
    )
    max_rows_per_export: int = Field(
        100_000_000, ge=1, description="A longer export fails with `limit_exceeded`."
    )
    max_daily_rows_per_user: int = Field(
        1_000_000_000,
        ge=1,
        description="Rows in one user's finished exports per UTC day; then 429 until midnight.",
    )
    max_daily_rows_per_tenant: int = Field(
        10_000_000_000, ge=1, description="The same for all users of one tenant together."
    )
    max_submits_per_minute: PerPeriod = Field(
        300,
        description="New exports of one user at once, and again in each further minute; then 429. "
        "0: no limit.",
    )
    max_submits_per_minute_per_tenant: PerPeriod = Field(
        3_000,
        description="The same for all users of one tenant together. 0: no limit.",
    )
    max_backlog: int = Field(
        20_000,
        ge=1,
        description="Wake-ups the broker has not confirmed; above this, new exports get 503.",
    )

    @classmethod
    def only(cls, **limits: int) -> Limits:
        """These limits and no others."""
        rates = {"max_submits_per_minute": 0, "max_submits_per_minute_per_tenant": 0}
        return Limits(**dict.fromkeys(Limits.model_fields, _NO_LIMIT) | rates | limits)
