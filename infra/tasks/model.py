"""A task as it is read back: one frozen record, and the parts of it that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected
from waybill.infra.tasks.states import TaskStatus


class TaskNotFound(ExportRejected, KeyError):
    """There is no such export task."""

    code = "task_not_found"


class TaskConflict(ExportRejected):
    """The task is in a state that does not allow this."""

    code = "task_conflict"


class IdempotencyMismatch(ExportRejected):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_mismatch"


@dataclass(frozen=True, slots=True)
class Task:
    """One row of ``export_task``, as read. Field names are the column names."""

    id: UUID
    tenant_id: str
    created_by: str
    roles: list[str]
    task_type: str
    queue: str
    format: str
    params: dict[str, Any]
    filename: str
    parent_id: UUID | None
    status: TaskStatus
    error_code: str | None
    error_message: str | None
    attempt: int
    retry_count: int
    max_attempts: int
    fence: int
    version: int
    next_attempt_at: datetime | None
    cancel_requested_at: datetime | None
    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    snapshot_at: datetime | None
    object_key: str | None
    size_bytes: int | None
    sha256: str | None
    rows_source: int | None
    rows_written: int | None
    warnings: list[dict[str, Any]] | None
    # A bearer secret while it lives, so it never shows in a repr.
    download_url: str | None = field(repr=False)
    url_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    flight_key: str | None
    #: The task whose file this one gets, or got.
    joined_id: UUID | None
    # Addresses, and URLs whose paths are often secrets.
    notify: dict[str, str] | None = field(default=None, repr=False)
    predicted_rows: int | None = None
    predicted_bytes: int | None = None
    predicted_seconds: float | None = None

    @property
    def owner(self) -> Principal:
        """Whoever asked for it, with the roles they had then."""
        return Principal(self.created_by, self.tenant_id, frozenset(self.roles))

    @classmethod
    def from_row(cls, row: sa.RowMapping | Mapping[str, Any]) -> Task:
        """Build a task from a row of `export_task`."""
        values = {name: row[name] for name in TASK_FIELDS}
        return cls(**{**values, "status": TaskStatus(values["status"])})


#: The columns a `Task` is made of.
TASK_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(Task))


@dataclass(frozen=True, slots=True)
class Flight:
    """Which requests of a tenant make the same file, and how long a made one may serve."""

    key: str
    #: A finished file whose rows were read no longer ago than this is given at once.
    reuse_for: timedelta = timedelta(0)
    #: And only if it is kept for at least so long from now.
    least_life: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class NewTask:
    """A validated request for an export, ready to be stored."""

    task_type: str
    queue: str
    format: str
    params: Mapping[str, Any]
    filename: str
    max_attempts: int
    #: The name as it was asked for, before a date was put into it: the same request sent
    #: again after midnight is still the same request.
    asked_filename: str = ""
    idempotency_key: str | None = None
    parent_id: UUID | None = None
    #: Who is told of the end: a target for each channel, see `waybill.infra.notifications.record`.
    notify: Mapping[str, str] | None = field(default=None, repr=False)
    #: None: it shares its run and its file with nobody.
    flight: Flight | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a task, until the lease ends or the fence moves on."""

    task: Task
    fence: int
    worker: str
