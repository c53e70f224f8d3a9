"""Bodies of the admin answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import TaskBody
from exporter.tasks import TaskStatus


class AdminTaskBody(TaskBody):
    """A task of any tenant. Its link is its owner's alone, and never in here."""

    tenant: str
    queue: str
    next_attempt_at: datetime | None


class AdminTaskList(BaseModel):
    """Tasks of all tenants, newest first."""

    items: list[AdminTaskBody]


class DeadLetterBody(BaseModel):
    """A message that ended, and the task it spoke of."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    queue: str
    reason: str
    body: str
    task_id: UUID | None
    task_status: TaskStatus | None
    attempt: int | None
    replayed_at: datetime | None
    replayed_by: str | None
    replay_task_id: UUID | None


class DeadLetterList(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetterBody]


class ReplayBody(BaseModel):
    """What a replay did; anything but `replayed` changed nothing."""

    model_config = ConfigDict(from_attributes=True)

    letter_id: int
    task_id: UUID | None
    outcome: str = Field(description="`replayed`, `already_replayed`, `no_task` or `not_failed`.")


class AuditEntryBody(BaseModel):
    """Who did what to which task, and when."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    tenant_id: str
    actor: str
    action: str
    task_id: UUID | None
    from_status: str | None
    to_status: str | None
    fence: int | None
    detail: dict[str, Any] | None


class AuditList(BaseModel):
    """A part of the audit log, newest first."""

    items: list[AuditEntryBody]
    next: int | None = Field(description="`before` of the following part; null at the end.")
