"""Response bodies of the admin API. The store's own rows are returned unchanged."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.exports.schemas import TaskBody
from waybill.infra.tasks.dead_letters import MAX_NOTE_CHARS, DeadLetter
from waybill.infra.tasks.pauses import MAX_PAUSE_NOTE_CHARS
from waybill.infra.tasks.queries.admin import AuditEntry
from waybill.infra.tasks.queries.paused import Pause, PauseKind
from waybill.infra.tasks.queries.statistics import HourFigures, Lease, QueueFigures
from waybill.infra.tasks.workers import QueueWorkers, WorkerRecord


class AdminTaskBody(TaskBody):
    """A task of any tenant. It never holds the download link, which is only for its owner."""

    tenant: str
    queue: str
    next_attempt_at: datetime | None


class AdminTaskList(BaseModel):
    """Tasks of all tenants, newest first."""

    items: list[AdminTaskBody]


class DeadLetterList(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetter]


class Dismissal(BaseModel):
    """Why nothing has to be done about a dead letter."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"note": "A test message of ours."}}
    )

    note: str = Field(min_length=1, max_length=MAX_NOTE_CHARS)


class WorkerList(BaseModel):
    """Workers by name, and who takes the exports of each queue."""

    items: list[WorkerRecord] = Field(description="Those that died stay for a day.")
    queues: list[QueueWorkers]


class PauseRequest(BaseModel):
    """What to pause, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"kind": "queue", "name": "orders", "note": "The shop is being migrated."}
        },
    )

    kind: PauseKind
    name: str = Field(min_length=1, max_length=200)
    note: str = Field(min_length=1, max_length=MAX_PAUSE_NOTE_CHARS)


class PauseList(BaseModel):
    """Queues and datasets that workers take no exports from."""

    items: list[Pause]


class AuditList(BaseModel):
    """A part of the audit log, newest first."""

    items: list[AuditEntry]
    next: int | None = Field(description="`before` of the next part; null at the end.")


class QueueList(BaseModel):
    """Waiting and running tasks by queue and type."""

    items: list[QueueFigures]


class LeaseList(BaseModel):
    """The leases of all workers."""

    items: list[Lease]


class HourList(BaseModel):
    """The last 24 hours of UTC, the current one last."""

    items: list[HourFigures]
