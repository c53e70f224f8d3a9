"""Request and response bodies of export tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool

from waybill.api.http.paging import MAX_PAGE, MAX_PAGE_SIZE, PlainText
from waybill.api.http.timestamps import Timestamp
from waybill.exporter.datasets.choices import (
    MAX_COLUMNS,
    MAX_SORT_KEYS,
    ColumnChoice,
    SortKey,
)
from waybill.exporter.datasets.sharding import Sharding
from waybill.exporter.formats.csv.options import CsvOptions
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.config.value_types import MAX_MAIL_ADDRESS_CHARS
from waybill.infra.exports.options import RequestOptions
from waybill.infra.notifications.webhook_targets import MAX_URL_CHARS
from waybill.infra.tasks.queries.owned import ListOrder
from waybill.infra.tasks.states import TaskStatus

#: Longest reason that a request may have.
MAX_REASON_CHARS = 1000


class Notify(BaseModel):
    """Where to send a notification when the export ends. Its owner gets a notice in any case."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"webhook": "https://hooks.example.com/exports"}},
    )

    webhook: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="An https URL that resolves to public addresses only, on port 443 or 8443. "
        "Waybill sends a signed `POST`, as Standard Webhooks specifies.",
    )
    email: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_MAIL_ADDRESS_CHARS,
        description="The caller's own address, or one in a domain that the operator allows.",
    )


class ExportRequest(BaseModel):
    """What to export, in which format, and under which file name."""

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
        default_factory=dict, description="Parameters of the dataset; see `GET /api/datasets`."
    )
    filename: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Name of the file. Unsafe characters are replaced.",
    )
    columns: list[ColumnChoice] | None = Field(
        None,
        min_length=1,
        max_length=MAX_COLUMNS,
        description="The columns of the file, in this order: names, or objects with `name` and "
        "`label`. Default: all columns of the dataset.",
    )
    sort: list[SortKey] | None = Field(
        None,
        max_length=MAX_SORT_KEYS,
        description="What rows are sorted by, before the dataset's own order: `total`, `-total` "
        "for descending, or objects with `column` and `descending`. NULL comes last.",
    )
    timezone: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="IANA name of the time zone in which the file shows moments, such as "
        "`Europe/Berlin`. Default: `WAYBILL_TIMEZONE`.",
    )
    lang: Literal["en", "zh"] | None = Field(
        None,
        description="Language of the dataset's texts in the file. Default: `Accept-Language`.",
    )
    csv: CsvOptions | None = Field(
        None,
        description="How CSV is written, for the formats `csv`, `csv.gz` and `csv.zip` only.",
    )
    reason: str | None = Field(
        None,
        max_length=MAX_REASON_CHARS,
        description="What the file is needed for. Some datasets ask for it. Approvers see it, and "
        "it is kept in the audit log.",
    )
    sharding: Sharding | None = Field(
        None,
        description="From which size on several workers write the file together, or never. "
        "Default: as the dataset and the settings have it.",
    )
    password: StrictBool | SecretStr | None = Field(
        None,
        description="`true`: encrypt the file with a password that is made for it, and that the "
        "answer tells once. Or a password: 16 to 99 characters of ASCII. The file is then a zip of "
        "the file (AES-256, AE-2). Some datasets ask for it. It is no part of what an "
        "`Idempotency-Key` compares, as it is not kept.",
    )
    notify: Notify | None = Field(
        None, description="Who is notified when the export ends. A retry notifies the same."
    )

    def in_language(self, language: Literal["en", "zh"]) -> ExportRequest:
        """The same request for a reader of `language`, if it does not say which it is."""
        return self if self.lang else self.model_copy(update={"lang": language})

    def options(self) -> RequestOptions:
        """What is asked of the file beside dataset, parameters, format and name.

        Raises:
            InvalidRequest: something is there twice, or there is no such time zone.
        """
        return RequestOptions(
            csv=self.csv,
            columns=tuple(self.columns or ()),
            sort=tuple(self.sort or ()),
            timezone=self.timezone,
            language=self.lang,
            reason=(self.reason or "").strip() or None,
            sharding=self.sharding,
            password=bool(self.password),
        )


class ListQuery(BaseModel):
    """Query of a list. `page` and `cursor` exclude each other; an empty cursor starts one."""

    status: list[TaskStatus] = Field(default_factory=list, description="Any of these; repeatable.")
    type: PlainText | None = Field(None, description="Name of a dataset.")
    q: PlainText | None = Field(
        None,
        description="Words that the file name or the value of a filter has, in any case. All of "
        "them are needed.",
    )
    created_from: Timestamp | None = Field(None, description="Made at this moment or later.")
    created_before: Timestamp | None = Field(None, description="Made before this moment.")
    sort: ListOrder = Field(
        ListOrder.NEWEST,
        description="The order of a page; `-` means the largest first. Cursors read newest first.",
    )
    page: int | None = Field(None, ge=1, le=MAX_PAGE)
    page_size: int = Field(20, ge=1, le=MAX_PAGE_SIZE)
    cursor: str | None = Field(None, max_length=500, description="`next` of the previous part.")


class Progress(BaseModel):
    """How far a running export is. `eta_seconds` is null while it cannot be estimated."""

    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    eta_seconds: int | None


class LastError(BaseModel):
    """Why the last attempt ended."""

    code: str
    message: str
    cause: str = Field(
        description="What happened, in plain words, in the language of `Accept-Language`."
    )
    remedy: str = Field(description="What to do about it.")
    retry_helps: bool = Field(
        description="Whether the same export may succeed when it is tried again."
    )


class Waiting(BaseModel):
    """What a task waits for: a part of the installation, or a person. It costs no attempt."""

    component: Literal["storage", "source", "approval"] = Field(
        description="`storage`: the object store; `source`: the database the rows are read from; "
        "`approval`: the answer of a person."
    )
    since: datetime


class ApprovalStatus(BaseModel):
    """The approval that an export needs."""

    state: Literal["asked", "approved", "declined", "expired"]
    until: datetime = Field(description="Until when an answer is awaited.")
    decided_by: str | None = Field(description="Whose answer it is; null without one.")
    decided_at: datetime | None = Field(description="When they answered.")
    note: str | None = Field(description="What they added.")


class Shards(BaseModel):
    """The parts of one large file that workers write at the same time."""

    count: int = Field(description="How many there are.")
    done: int = Field(description="How many of them are written.")


class Files(BaseModel):
    """The files of a set."""

    count: int = Field(description="How many there are.")
    ready: int = Field(description="How many of them can be downloaded.")


class Completeness(BaseModel):
    """The proof that nothing is missing from the file.

    `rows_source` is null if the rows were not counted in the database. `digest` is the SHA-256
    of the file. Of a file that several workers wrote it begins with `sha256-tree:`, and is the
    SHA-256 of the SHA-256s of its shards and its end, or of the files of a set and its manifest;
    `sha256` is null then.
    """

    rows_source: int | None
    rows_written: int
    digest: str
    snapshot_at: datetime


class ChosenColumn(BaseModel):
    """A column that the request chose."""

    name: str = Field(description="Name of a column of the dataset.")
    label: str | None = Field(description="The heading that was asked for; null for its own.")


class SortedColumn(BaseModel):
    """A column that the request sorts by."""

    column: str = Field(description="Name of a column of the dataset.")
    descending: bool = Field(description="Whether the largest value comes first.")


class Predicted(BaseModel):
    """The estimate made when the export started."""

    rows: int | None
    bytes: int | None
    seconds: float | None


class TaskBody(BaseModel):
    """One export task, as its owner sees it."""

    id: UUID
    type: str
    format: str
    params: dict[str, Any]
    columns: list[ChosenColumn] | None = Field(
        description="The chosen columns in their order; null: all of the dataset."
    )
    sort: list[SortedColumn] | None = Field(
        description="What the request sorts by; null: the dataset's own order."
    )
    timezone: str | None = Field(
        description="The time zone that was asked for; null: that of the installation."
    )
    lang: str | None = Field(
        description="Language of the file; null where the dataset has its texts in one only."
    )
    status: TaskStatus
    progress: Progress
    attempt: int
    max_attempts: int
    retry_count: int
    last_error: LastError | None
    waiting: Waiting | None = Field(
        description="What a `PENDING` task waits for: a part of the installation that is away, or "
        "an approval."
    )
    reason: str | None = Field(description="What the file is needed for, as it was asked for.")
    approval: ApprovalStatus | None = Field(description="Null where the dataset needs none.")
    protected: bool = Field(
        description="Whether the file has a password: it is a zip of the file, and `size_bytes` "
        "and `sha256` are those of the zip."
    )
    paused_since: datetime | None = Field(
        description="Since when a `PROCESSING` task is paused so that others of its queue pass; it "
        "goes on by itself, where it stopped. Null while it runs."
    )
    pauses: int = Field(description="How often it was paused.")
    shards: Shards | None = Field(description="Null where the file is written by one worker alone.")
    files: Files | None = Field(
        description="Where the export is a set of files with a manifest; null where it is one "
        "file. `GET /{task_id}/files` lists them."
    )
    filename: str
    filename_pattern: str | None = Field(
        description="The name as it was asked for, with its placeholders; null if it is automatic."
    )
    sharding: Sharding | None = Field(
        description="What the request says of shards; null if it says nothing."
    )
    csv: CsvOptions | None = Field(
        description="How its CSV is written, where that is not the installation's default."
    )
    size_bytes: int | None
    sha256: str | None
    rows: int | None
    completeness: Completeness | None
    predicted: Predicted | None = Field(description="Null until the export has started.")
    warnings: list[dict[str, Any]]
    download_url: str | None = Field(
        description="The most recent signed link, until it expires. `GET /{task_id}` and a "
        "submission that waited (`Prefer: wait`) show it, while the caller may export the dataset; "
        "lists, events and other answers have null."
    )
    url_expires_at: datetime | None = Field(description="Null without `download_url`.")
    expires_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class SubmittedTask(TaskBody):
    """The task that answers a request."""

    deduplicated: bool = Field(description="True if the task existed already.")
    password: str | None = Field(
        description="The password that was made for the file. No other answer has it, nor does the "
        "same request with its `Idempotency-Key` again. Null where the request had none made."
    )


class TaskPage(BaseModel):
    """A part of the caller's tasks, newest first."""

    items: list[TaskBody]
    total: int | None = Field(
        description="Number of tasks in the whole list; null when read by cursor."
    )
    page: int | None = Field(description="Number of this page; null when read by cursor.")
    page_size: int
    next: str | None = Field(description="Cursor of the next part; null at the end.")


class Place(BaseModel):
    """Where a waiting export stands in its queue."""

    task_id: UUID
    position: int = Field(description="1 is the next one. Other tenants' exports count as well.")
    starts_in_seconds: int = Field(description="About when it starts; 0 means now.")
    paused: bool = Field(
        description="An operator has paused its queue or its dataset: it starts after that."
    )


class PlaceList(BaseModel):
    """The caller's exports that wait for a worker, oldest first."""

    items: list[Place]


class DownloadLink(BaseModel):
    """A newly signed link. Anyone who has it can download the file until it expires."""

    url: str
    expires_at: datetime
