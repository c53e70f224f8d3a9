"""Bodies of requests and answers: the contract, as models."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waybill.exporter.formats.registry import FORMATS
from waybill.infra.notifications.mail_server import MAX_ADDRESS_CHARS
from waybill.infra.notifications.targets import MAX_URL_CHARS
from waybill.infra.tasks.states import TaskStatus


class Notify(BaseModel):
    """Who is told when the export has ended, besides its owner's notices."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"webhook": "https://hooks.example.com/exports"}},
    )

    webhook: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="An https URL with public addresses only, on port 443 or 8443. It gets a "
        "signed `POST` as Standard Webhooks describes.",
    )
    email: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_ADDRESS_CHARS,
        description="The caller's own address, or one of a domain the operator allows.",
    )


class ExportRequest(BaseModel):
    """What to export, as what, and under which name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"type": "orders", "format": "xlsx", "params": {"city": "Lisbon"}}
        },
    )

    type: str = Field(min_length=1, max_length=200, description="Name of a dataset.")
    format: str = Field(
        min_length=1,
        max_length=20,
        description="One of the dataset's formats.",
        json_schema_extra={"enum": list(FORMATS)},
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of the dataset, see `GET /api/datasets`."
    )
    filename: str | None = Field(
        None, min_length=1, max_length=255, description="Name of the file; made safe."
    )
    notify: Notify | None = Field(
        None, description="Who is told of the end. A retry tells the same."
    )


class Progress(BaseModel):
    """How far a running export is. `eta_seconds` is null while nobody can say."""

    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    eta_seconds: int | None


class LastError(BaseModel):
    """Why the last attempt ended."""

    code: str
    message: str
    cause: str = Field(description="What happened, in plain words; by `Accept-Language`.")
    remedy: str = Field(description="What to do about it.")
    retry_helps: bool = Field(description="Whether the same export may pass when tried again.")


class Completeness(BaseModel):
    """The proof that nothing is missing from the file.

    `rows_source` is null where the database was not asked to count. `digest` is the SHA-256
    of the file.
    """

    rows_source: int | None
    rows_written: int
    digest: str
    snapshot_at: datetime


class Predicted(BaseModel):
    """What was foretold when the export began, to be compared with what it came to."""

    rows: int | None
    bytes: int | None
    seconds: float | None


class TaskBody(BaseModel):
    """One export task, as its owner sees it."""

    id: UUID
    type: str
    format: str
    params: dict[str, Any]
    status: TaskStatus
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
    predicted: Predicted | None = Field(description="Null until it has begun.")
    warnings: list[dict[str, Any]]
    download_url: str | None = Field(description="A signed link, while the recorded one lives.")
    url_expires_at: datetime | None
    expires_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class SubmittedTask(TaskBody):
    """The task that answers a request."""

    deduplicated: bool = Field(description="True when this task was there already.")


class TaskPage(BaseModel):
    """A part of the caller's tasks, newest first."""

    items: list[TaskBody]
    total: int | None = Field(description="Tasks in the whole list; null when read by cursor.")
    page: int | None = Field(description="Number of this page; null when read by cursor.")
    page_size: int
    next: str | None = Field(description="Cursor for what follows; null at the end.")


class DownloadLink(BaseModel):
    """A freshly signed link. Whoever holds it can fetch the file until it expires."""

    url: str
    expires_at: datetime


class DatasetBody(BaseModel):
    """Something the caller may export."""

    name: str
    title: str
    formats: list[str]
    params_schema: dict[str, Any] = Field(description="JSON Schema of `params`.")


class DatasetList(BaseModel):
    """Everything the caller may export, by name."""

    items: list[DatasetBody]


class Health(BaseModel):
    """`failures` names what is not ready, and why."""

    status: str
    failures: dict[str, str] = Field(default_factory=dict)
