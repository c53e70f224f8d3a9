"""Client models: tasks, links and estimates as the API returns them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED", "EXPIRED"]


class Answer(BaseModel):
    """Base of all models. Unknown fields are ignored: a newer server may send more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Progress(Answer):
    """How far a running export is."""

    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    eta_seconds: int | None


class LastError(Answer):
    """Why the last attempt ended: code, message, cause and remedy."""

    code: str
    message: str
    cause: str = ""
    remedy: str = ""
    retry_helps: bool | None = None


class Waiting(Answer):
    """What a task waits for: `storage` or `source`, which are away, or an `approval`."""

    component: str
    since: datetime


class ApprovalStatus(Answer):
    """The approval that an export needs: `asked`, `approved`, `declined` or `expired`."""

    state: str
    until: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str | None = None


class ApprovalRequest(Answer):
    """An export of somebody else that asks or asked for an approval."""

    task_id: UUID
    type: str
    format: str
    params: dict[str, Any]
    #: Names of the chosen columns; None: all of the dataset.
    columns: list[str] | None
    filename: str
    reason: str | None
    requested_by: str
    requested_at: datetime
    answer_until: datetime
    #: `asked`, `approved`, `declined` or `expired`.
    state: str


class ApprovalList(Answer):
    """Requests that wait for the caller's answer."""

    items: list[ApprovalRequest]
    more: bool


class Completeness(Answer):
    """The proof that nothing is missing from the file."""

    rows_source: int | None
    rows_written: int
    digest: str
    snapshot_at: datetime


class Shards(Answer):
    """The parts of one large file that workers write at the same time."""

    count: int
    done: int


class Files(Answer):
    """The files of a set, and how many of them can be downloaded."""

    count: int
    ready: int


class ExportedFile(Answer):
    """One file of an export. Anyone who has its `url` can download it for some minutes."""

    name: str
    rows: int | None
    size_bytes: int | None
    sha256: str | None
    ready: bool
    #: None until it is ready.
    url: str | None = Field(repr=False)


class FileList(Answer):
    """The files of an export in the order of their rows."""

    format: str
    #: Whether the export still runs.
    partial: bool
    ready: int
    count: int
    #: The manifest of a set that is complete.
    manifest_url: str | None = Field(repr=False)
    expires_at: datetime | None
    items: list[ExportedFile]


class ExportTask(Answer):
    """One export task."""

    id: UUID
    type: str
    format: str
    params: dict[str, Any]
    status: Status
    progress: Progress
    attempt: int
    max_attempts: int
    retry_count: int
    last_error: LastError | None
    filename: str
    size_bytes: int | None
    sha256: str | None
    rows: int | None
    completeness: Completeness | None
    warnings: list[dict[str, Any]]
    expires_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: None unless a part of the installation is away, or a person has to approve it.
    waiting: Waiting | None = None
    #: What it is needed for, as it was asked for.
    reason: str | None = None
    #: None where its dataset needs no approval.
    approval: ApprovalStatus | None = None
    #: Since when others pass it; None while it runs.
    paused_since: datetime | None = None
    pauses: int = 0
    #: None where its file is written by one worker alone.
    shards: Shards | None = None
    #: None where it is one file.
    files: Files | None = None
    #: Chosen columns, order, zone, language and CSV options; None where the request has none.
    columns: list[dict[str, Any]] | None = None
    sort: list[dict[str, Any]] | None = None
    timezone: str | None = None
    lang: str | None = None
    csv: dict[str, Any] | None = None
    #: What the request says of shards.
    sharding: dict[str, Any] | None = None
    #: True in the result of `submit` or `retry` if the task existed already.
    deduplicated: bool = False
    #: Whether the file has a password: it is a zip of the file.
    protected: bool = False
    #: In the result of `submit` or `retry`, the password that was made for the file.
    #: Nothing tells it again: if the network failed and the request was repeated, it is None.
    password: str | None = Field(None, repr=False)

    def is_intact(self, sha256: str, size_bytes: int) -> bool:
        """Whether bytes of this SHA-256 and size are its file.

        A file that several workers wrote is known by its size only.
        """
        return size_bytes == self.size_bytes and self.sha256 in {None, sha256}

    @property
    def ended(self) -> bool:
        """Whether it has reached a final state. Only its file may still expire."""
        return self.status not in ("PENDING", "PROCESSING")


class TaskPage(Answer):
    """A part of a list, and the cursor of the next part."""

    items: list[ExportTask]
    next: str | None


class BetterFormat(Answer):
    """A format that suits the export better than the requested one, and why."""

    format: str
    code: str
    reason: str


class Estimate(Answer):
    """The estimate of an export; None for what is unknown."""

    rows: int | None
    rows_known_by: str | None
    rows_problem: str | None
    files: int | None
    sheets: int | None
    bytes: int | None
    seconds: float | None
    queue_position: int
    #: None from a server of an earlier version.
    queue_workers: int | None = None
    starts_in_seconds: float
    better_format: BetterFormat | None


class DownloadLink(Answer):
    """A signed link. Anyone who has it can download the file until it expires."""

    url: str
    expires_at: datetime
