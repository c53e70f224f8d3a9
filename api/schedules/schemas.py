"""Request and response bodies of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.exports.schemas import Notify
from waybill.api.http.left_out import without_default
from waybill.api.saved_exports.schemas import Reason
from waybill.infra.tasks.states import TaskStatus

_CRON = (
    "Five fields: minute, hour, day of the month, month, day of the week; or words, such as "
    "`every Monday 08:00` or `每周一 08:00`."
)
_ZONE = "IANA name of the zone that the times are in."
_NOTIFY = (
    "Who is notified when a run ends. The owner gets a notice in any case. A mail contains a share "
    "link to the file."
)


class RulePreviewRequest(BaseModel):
    """Times to be shown before a schedule is saved."""

    model_config = ConfigDict(extra="forbid")

    cron: str = Field(min_length=1, max_length=100, description=_CRON)
    timezone: str = Field(min_length=1, max_length=100, description=_ZONE)


class ScheduleRequest(RulePreviewRequest):
    """When to run a saved export, and whom to tell."""

    saved_export_id: UUID
    notify: Notify | None = Field(None, description=_NOTIFY)


class ScheduleChange(BaseModel):
    """What to change; what is left out stays. New times count from now on."""

    model_config = ConfigDict(extra="forbid")

    saved_export_id: UUID = Field(UUID(int=0), json_schema_extra=without_default)
    cron: str = Field(
        "", min_length=1, max_length=100, description=_CRON, json_schema_extra=without_default
    )
    timezone: str = Field(
        "", min_length=1, max_length=100, description=_ZONE, json_schema_extra=without_default
    )
    notify: Notify | None = Field(None, description=f"{_NOTIFY} Null: nobody else.")


class SlotBody(BaseModel):
    """One time of a schedule."""

    at: datetime
    local: str = Field(description="The same moment in the zone of the schedule, with its offset.")
    note: Literal["moved", "repeated"] | None = Field(
        description="`moved`: the clocks skip the time of the rule on this day, so it runs at the "
        "first moment after the gap. `repeated`: the hour occurs twice on this day."
    )


class RulePreview(BaseModel):
    """What a rule means."""

    cron: str
    words: str | None = Field(description="The rule in words; null if it is too irregular.")
    timezone: str = Field(description=_ZONE)
    next_runs: list[SlotBody]


class Recipients(BaseModel):
    """Who is notified beside the owner."""

    email: str | None = Field(description="A mail address.")
    webhook: str | None = Field(description="Scheme and host of a webhook; its path may be secret.")


class LastRunBody(BaseModel):
    """The newest run."""

    slot: datetime = Field(description="The time that it was planned for.")
    at: datetime = Field(description="When it was started, skipped or refused.")
    outcome: Literal["submitted", "skipped", "refused"]
    missed: int = Field(description="Earlier times that it stands for as well, at most 100.")
    task_id: UUID | None
    task_status: TaskStatus | None = Field(description="Null if the task was deleted.")
    error: Reason | None


class ScheduleBody(BaseModel):
    """A schedule as the caller sees it."""

    id: UUID
    saved_export_id: UUID | None = Field(description="Null if it was deleted.")
    saved_export_name: str | None
    mine: bool = Field(description="Whether it is the caller's own.")
    created_by: str
    cron: str
    words: str | None = Field(description="The rule in words; null if it is too irregular.")
    timezone: str = Field(description=_ZONE)
    state: Literal["active", "paused"]
    paused_at: datetime | None
    paused_reason: Reason | None = Field(description="Null if a person has paused it.")
    next_runs: list[SlotBody] = Field(description="The next five; none while it is paused.")
    recipients: Recipients
    last_run: LastRunBody | None
    failures: int = Field(description="Runs that failed in a row, without the last one.")
    created_at: datetime
    updated_at: datetime


class ScheduleList(BaseModel):
    """A part of the schedules that the caller sees, newest first."""

    items: list[ScheduleBody]
    next: UUID | None = Field(description="`before` of the next part; null at the end.")
