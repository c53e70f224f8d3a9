"""Request and response bodies of saved exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.exports.schemas import ExportRequest
from waybill.api.http.left_out import without_default

_NAME = "Unique among the saved exports of one user. Upper and lower case are the same."
_REQUEST = (
    "As for `POST /api/export-tasks`, without `notify`. A date may be relative: "
    '`{"relative": "last_month", "edge": "first"}`. Periods: `today`, `yesterday`, `this_week`, '
    "`last_week`, `this_month`, `last_month`, `this_quarter`, `last_quarter`, `this_year`, "
    "`last_year`, and `last_7_days` for the seven days before today, with any number up to 999. "
    "`edge` is the `first` day, the `last` one, or the `next` one after it."
)
_TIMEZONE = "IANA name of the zone that relative dates are worked out in. Default: the server's."
_SHARED = "Whether all in the tenant see it who may export the dataset. They run it as themselves."


class SavedExportRequest(BaseModel):
    """An export request, to be kept under a name."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120, description=_NAME)
    request: ExportRequest = Field(description=_REQUEST)
    timezone: str | None = Field(None, max_length=100, description=_TIMEZONE)
    shared: bool = Field(False, description=_SHARED)


class SavedExportChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "", min_length=1, max_length=120, description=_NAME, json_schema_extra=without_default
    )
    request: ExportRequest = Field(
        default_factory=lambda: ExportRequest(type="-", format="-"), description=_REQUEST
    )
    timezone: str = Field(
        "", max_length=100, description=_TIMEZONE, json_schema_extra=without_default
    )
    shared: bool = Field(False, description=_SHARED, json_schema_extra=without_default)


class Reason(BaseModel):
    """Why something does not work, in the language of `Accept-Language`."""

    code: str
    message: str
    cause: str = Field(description="What happened, in plain words.")
    remedy: str = Field(description="What to do about it.")


class SavedExportBody(BaseModel):
    """A saved export as the caller sees it."""

    id: UUID
    name: str = Field(description=_NAME)
    shared: bool = Field(description=_SHARED)
    mine: bool = Field(description="Whether it is the caller's own.")
    editable: bool = Field(description="Whether the caller may change and delete it.")
    created_by: str
    request: dict[str, Any] = Field(description=_REQUEST)
    timezone: str = Field(description=_TIMEZONE)
    params_now: dict[str, Any] | None = Field(
        description="The parameters with the dates of a run at this moment; null if `problem`."
    )
    problem: Reason | None = Field(
        description="Why the caller cannot run it; null if they can. A dataset or a parameter may "
        "be gone."
    )
    created_at: datetime
    updated_at: datetime


class SavedExportList(BaseModel):
    """A part of the saved exports that the caller sees, by name."""

    items: list[SavedExportBody]
    next: UUID | None = Field(description="`after` of the next part; null at the end.")
