"""Settings of saved exports and schedules: how many, how often, and when one is paused."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from waybill.infra.config.value_types import Seconds


class ScheduleSettings(BaseModel):
    """The part of `Settings` that is about what people repeat."""

    max_saved_exports_per_user: int = Field(
        200, ge=1, le=10_000, description="Saved exports of one user; more get 409."
    )
    max_schedules_per_user: int = Field(
        50, ge=1, le=10_000, description="Schedules of one user, paused ones included; more get "
        "409."
    )  # fmt: skip
    schedule_min_interval: Seconds = Field(
        timedelta(minutes=5),
        ge=timedelta(minutes=1),
        le=timedelta(days=1),
        validation_alias="WAYBILL_SCHEDULE_MIN_INTERVAL_SECONDS",
        description="A schedule whose runs are closer together than this is refused.",
    )
    schedule_max_failures: int = Field(
        5, ge=1, le=1_000, description="Failures in a row after which a schedule is paused."
    )
    schedule_owner_days: int = Field(
        90,
        ge=0,
        le=3_650,
        description="Days after which the schedules of somebody who has not been here are paused. "
        "Waybill has no list of users: this ends what people leave behind. 0: never.",
    )
