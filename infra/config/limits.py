"""How much one user and one tenant may have at once, and a day: settings, and what they say.

They keep one user from using up what belongs to all. Nobody who works by hand should ever
meet them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from pydantic_settings import BaseSettings

#: More than any count reaches: the default of whoever builds `Limits` by hand.
_NONE = 2**62


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds, each inclusive. What is left out is not limited."""

    #: Exports waiting or running.
    queued_per_user: int = _NONE
    queued_per_tenant: int = _NONE
    #: Exports running. Further ones wait; none is refused.
    running_per_user: int = _NONE
    running_per_tenant: int = _NONE
    rows_per_export: int = _NONE
    #: Rows of finished exports on one UTC day.
    daily_rows_per_user: int = _NONE
    daily_rows_per_tenant: int = _NONE
    #: Wake-ups of everybody that the broker has not confirmed yet.
    backlog: int = _NONE


class LimitSettings(BaseSettings):
    """The part of `waybill.infra.config.settings.Settings` that limits users and tenants."""

    max_queued_per_user: int = Field(
        1_000, ge=1, description="Exports of one user that wait or run; further ones get 429."
    )
    max_queued_per_tenant: int = Field(
        10_000, ge=1, description="Exports of one tenant that wait or run; further ones get 429."
    )
    max_running_per_user: int = Field(
        20, ge=1, description="Exports of one user that run at once; further ones wait."
    )
    max_running_per_tenant: int = Field(
        50, ge=1, description="Exports of one tenant that run at once; further ones wait."
    )
    max_rows_per_export: int = Field(
        100_000_000, ge=1, description="A longer export fails with `limit_exceeded`."
    )
    max_daily_rows_per_user: int = Field(
        1_000_000_000,
        ge=1,
        description="Rows of one user's finished exports in a UTC day; then 429 until midnight.",
    )
    max_daily_rows_per_tenant: int = Field(
        10_000_000_000, ge=1, description="The same for all users of one tenant together."
    )
    max_backlog: int = Field(
        20_000,
        ge=1,
        description="Wake-ups the broker has not taken; while there are more, new exports get 503.",
    )

    @property
    def limits(self) -> Limits:
        """The limits that these settings name."""
        return Limits(
            queued_per_user=self.max_queued_per_user,
            queued_per_tenant=self.max_queued_per_tenant,
            running_per_user=self.max_running_per_user,
            running_per_tenant=self.max_running_per_tenant,
            rows_per_export=self.max_rows_per_export,
            daily_rows_per_user=self.max_daily_rows_per_user,
            daily_rows_per_tenant=self.max_daily_rows_per_tenant,
            backlog=self.max_backlog,
        )
