"""Request and response bodies of approvals."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.infra.tasks.lifecycle.approvals import MAX_NOTE_CHARS


class ApprovalAnswer(BaseModel):
    """An answer to a request for approval."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"note": "For the audit in May."}}
    )

    note: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NOTE_CHARS,
        description="What the requester and the audit log are told.",
    )


class ApprovalBody(BaseModel):
    """An export that asks or asked for an approval, as somebody sees it who may answer."""

    task_id: UUID
    type: str = Field(description="Name of the dataset.")
    format: str
    params: dict[str, Any] = Field(
        description="Its parameters, without those that the caller may not see."
    )
    columns: list[str] | None = Field(
        description="Names of the chosen columns; null: all of the dataset."
    )
    filename: str
    reason: str | None = Field(description="What the file is needed for.")
    requested_by: str = Field(description="Who asked for it.")
    requested_at: datetime = Field(description="When it was asked for.")
    answer_until: datetime = Field(description="Without an answer the request ends then.")
    state: Literal["asked", "approved", "declined", "expired"]


class ApprovalList(BaseModel):
    """Requests that wait for the caller's answer, oldest first."""

    items: list[ApprovalBody] = Field(description="At most 50.")
    more: bool = Field(description="Whether there are more.")
