"""Bodies of the admin answers. What the store reads for operators is shown as it is."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from waybill.api.exports.schemas import TaskBody
from waybill.infra.tasks.dead_letters import DeadLetter
from waybill.infra.tasks.queries.admin import AuditEntry
from waybill.infra.tasks.queries.statistics import HourFigures, Lease, QueueFigures


class AdminTaskBody(TaskBody):
    """A task of any tenant. Its link is its owner's alone, and never in here."""

    tenant: str
    queue: str
    next_attempt_at: datetime | None


class AdminTaskList(BaseModel):
    """Tasks of all tenants, newest first."""

    items: list[AdminTaskBody]


class DeadLetterList(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetter]


class AuditList(BaseModel):
    """A part of the audit log, newest first."""

    items: list[AuditEntry]
    next: int | None = Field(description="`before` of the following part; null at the end.")


class QueueList(BaseModel):
    """What waits and what runs, by queue and type."""

    items: list[QueueFigures]


class LeaseList(BaseModel):
    """What every worker has in hand."""

    items: list[Lease]


class HourList(BaseModel):
    """The last 24 hours of UTC, the current one last."""

    items: list[HourFigures]
