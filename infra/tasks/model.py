"""Records of the task store: a task as read, a request, a claim, a result; and its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected
from waybill.infra.tasks.states import TaskStatus

#: A row of ``export_task``, or the columns that identify it: id, tenant_id, fence.
TaskRow = sa.RowMapping | Mapping[str, Any]

#: When a task that waits for a person is due: a worker of an older version honours that, too.
NEVER_BY_ITSELF = datetime(9000, 1, 1, tzinfo=UTC)

#: The code of an EXPIRED task whose file was gone before its retention ended.
FILE_MISSING = "file_missing"


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
    #: The leader: the task whose run and file this one shares.
    joined_id: UUID | None
    # Addresses, and URLs whose paths are often secrets.
    notify: dict[str, str] | None = field(default=None, repr=False)
    #: How its file is written, where that differs from the installation's default.
    options: dict[str, Any] | None = None
    #: When the recorded link was first shown.
    link_shown_at: datetime | None = None
    predicted_rows: int | None = None
    predicted_bytes: int | None = None
    predicted_seconds: float | None = None
    #: The part of the installation it waits for (a `Fault`), and since when.
    waiting_for: str | None = None
    waiting_since: datetime | None = None
    #: No other export may run beside it in the same worker.
    run_alone: bool = False
    #: Attributes of the owner at the time of asking.
    attributes: dict[str, Any] | None = None
    #: The name as it was asked for: empty for an automatic one, None if that is not on record.
    filename_pattern: str | None = None
    #: Set while its export is paused to let others pass.
    paused_since: datetime | None = None
    #: How often it was.
    pauses: int = 0
    #: The span of the request, if that was traced.
    traceparent: str | None = None
    #: Shards of its file, and how many of them are written; None where it is written as one.
    shards: int | None = None
    shards_done: int = 0
    #: Files, where it is a set of them; None where it is one file.
    files: int | None = None
    #: An `ApprovalState`; None where its dataset asks for no approval.
    approval: str | None = None
    #: Until when an answer is awaited; who gave it, when, and what they added.
    approval_until: datetime | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_note: str | None = None

    @property
    def owner(self) -> Principal:
        """The user who requested it, with the roles and attributes of that time."""
        return Principal(
            self.created_by, self.tenant_id, frozenset(self.roles), self.attributes or {}
        )

    @property
    def identity(self) -> TaskRow:
        """The columns that the audit log names a task by."""
        return {"id": self.id, "tenant_id": self.tenant_id, "fence": self.fence}

    @classmethod
    def from_row(cls, row: TaskRow) -> Task:
        """Build a task from a row of `export_task`."""
        values = {name: row[name] for name in TASK_FIELDS}
        return cls(**{**values, "status": TaskStatus(values["status"])})


#: The columns of a `Task`.
TASK_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(Task))


class ApprovalState(StrEnum):
    """How the approval of a task stands, as `export_task.approval` holds it."""

    ASKED = "ASKED"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class AskedApproval:
    """The approval that a new task has to wait for."""

    within: timedelta
    #: An address that gets a mail about it.
    mail: str | None = field(default=None, repr=False)
    #: Language of that mail, and the title of the dataset in it.
    language: str = "en"
    title: str = ""

    @classmethod
    def again(cls, task: Task) -> AskedApproval | None:
        """As `task` had it, without a mail: what was approved once has to be approved again."""
        return cls(task.approval_until - task.created_at) if task.approval_until else None


@dataclass(frozen=True, slots=True)
class SingleFlight:
    """Which requests of a tenant share one run and its file, and for how long a file serves."""

    #: Equal keys of one tenant mean equal rows.
    key: str
    #: A finished file is reused if its rows were read no longer ago than this.
    reuse_for: timedelta = timedelta(0)
    #: A reused file must be kept for at least this long from now.
    least_life: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class FilePassword:
    """The password of the file of a new task. Nothing of it is stored but what `seal` makes."""

    #: The keys that it gave, encrypted for the task of this id.
    seal: Callable[[UUID], bytes] = field(repr=False)
    #: The password where it was made for the caller, who has to be told it.
    made: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewTask:
    """A validated request for an export, ready to be stored."""

    task_type: str
    queue: str
    format: str
    params: Mapping[str, Any]
    filename: str
    max_attempts: int
    #: The file name as requested, before a date was inserted: the same request sent again after
    #: midnight is still the same request.
    asked_filename: str = ""
    #: The same, for running it again; None: as `asked_filename`.
    filename_pattern: str | None = None
    idempotency_key: str | None = None
    parent_id: UUID | None = None
    #: Where to send the notification of the end: a target for each channel.
    notify: Mapping[str, str] | None = field(default=None, repr=False)
    #: How the file is to be written, where that differs from the installation's default.
    options: Mapping[str, Any] | None = None
    #: None: the task shares neither its run nor its file.
    single_flight: SingleFlight | None = None
    #: None: it runs as soon as a worker is free.
    approval: AskedApproval | None = None
    #: Of a request that asks for one.
    password: FilePassword | None = None

    @classmethod
    def retry_of(
        cls,
        task: Task,
        *,
        max_attempts: int,
        notify: Mapping[str, str] | None = None,
        single_flight: SingleFlight | None = None,
        approval: AskedApproval | None = None,
        password: FilePassword | None = None,
    ) -> NewTask:
        """The request for the export of `task` again, with `task` as its parent.

        `notify` are its targets as they were judged again; None: those of `task`.
        """
        return cls(
            task_type=task.task_type,
            queue=task.queue,
            format=task.format,
            params=task.params,
            filename=task.filename,
            asked_filename=task.filename,
            filename_pattern=task.filename_pattern,
            max_attempts=max_attempts,
            parent_id=task.id,
            notify=(task.notify if notify is None else notify) or None,
            options=task.options,
            single_flight=single_flight,
            approval=approval,
            password=password,
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a task, until the lease ends or the fence moves on."""

    task: Task
    #: Orders the claims of a task, within one history of the database.
    fence: int
    worker: str
    #: Random. A standby that is promoted without this claim may give its fence to another one.
    id: UUID


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a run is, as of one heartbeat."""

    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    snapshot_at: datetime | None
    #: It lets others pass, and gets no further meanwhile.
    paused: bool = False
    #: As `Task.shards`.
    shards: int | None = None
    shards_done: int = 0
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a set of files, and how many files it names."""

    files: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a run is expected to come to; None is not known."""

    planned_rows: int | None
    rows: int | None
    size_bytes: int | None
    seconds: float | None

    @property
    def columns(self) -> dict[str, Any]:
        """As columns of `export_task`."""
        return {
            "planned_rows": self.planned_rows,
            "predicted_rows": self.rows,
            "predicted_bytes": self.size_bytes,
            "predicted_seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a successful attempt, as recorded on its task."""

    object_key: str
    etag: str
    sha256: str
    size_bytes: int
    rows_source: int | None
    rows_written: int
    snapshot_at: datetime
    warnings: list[dict[str, str | int]]
    download_url: str
    url_expires_at: datetime
    retention: timedelta
    #: The single-flight key of the query that ran: the file may be shared under this key only.
    flight_key: str | None = None
    #: Where it was not recorded at the start.
    predicted: Predicted | None = None
    #: Of a set of files, whose object it is.
    manifest: Manifest | None = None
