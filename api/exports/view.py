"""A task as its owner sees it over HTTP: body, ETag, and when to poll again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import Response

from waybill.api.explanations import explain
from waybill.api.exports.schemas import (
    ApprovalStatus,
    Completeness,
    Files,
    LastError,
    Predicted,
    Progress,
    Shards,
    SubmittedTask,
    TaskBody,
    Waiting,
)
from waybill.api.languages import Language
from waybill.exporter.datasets.sharding import Sharding
from waybill.exporter.formats.csv.options import CsvOptions
from waybill.infra.exports.options import stored_timezone
from waybill.infra.tasks.file_keys import has_password
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import ApprovalState, Task
from waybill.infra.tasks.states import LIVE, TaskStatus
from waybill.infra.tasks.tree_digest import is_tree_digest

#: The address of the collection of tasks.
TASKS_PATH = "/api/export-tasks"

#: Seconds between polls of a live task; the last one repeats. From the API contract.
_POLL_SECONDS = (2, 4, 8, 15)

#: The share of the rows after which their pace alone tells the time left.
_PACE_IS_KNOWN = 0.25


def task_address(task_id: UUID) -> str:
    """The address of a task: relative, so that a forged Host header cannot redirect a client."""
    return f"{TASKS_PATH}/{task_id}"


def body_of(
    task: Task, now: datetime, language: Language = "en", *, with_link: bool = False
) -> TaskBody:
    """The body of `task`, without the recorded link unless the caller has checked the rights.

    See `waybill.api.exports.downloads.task_to_show`.
    """
    link_shown = with_link and link_lives(task, now)
    return TaskBody(
        id=task.id,
        type=task.task_type,
        format=task.format,
        params=task.params,
        **_chosen(task),
        status=task.status,
        progress=Progress(
            rows_done=task.rows_done,
            rows_total=task.rows_total,
            bytes_uploaded=task.bytes_uploaded,
            eta_seconds=_eta_seconds(task),
        ),
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        retry_count=task.retry_count,
        last_error=_last_error(task, language),
        waiting=_waiting(task),
        approval=_approval(task),
        protected=has_password(task.options),
        paused_since=task.paused_since if task.status == TaskStatus.PROCESSING else None,
        pauses=task.pauses,
        shards=None if task.shards is None else Shards(count=task.shards, done=task.shards_done),
        files=_files(task),
        filename=task.filename,
        filename_pattern=task.filename_pattern or None,
        size_bytes=task.size_bytes,
        sha256=None if is_tree_digest(task.sha256) else task.sha256,
        rows=task.rows_written,
        completeness=_completeness(task),
        predicted=_predicted(task),
        warnings=task.warnings or [],
        download_url=task.download_url if link_shown else None,
        url_expires_at=task.url_expires_at if link_shown else None,
        expires_at=task.expires_at,
        created_by=task.created_by,
        created_at=task.created_at,
        updated_at=task.updated_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
    )


def etag_of(
    task: Task, now: datetime, language: Language = "en", *, with_link: bool = False
) -> str:
    """A strong validator of `body_of`; the link counts while it is valid and shown."""
    if with_link and task.url_expires_at and link_lives(task, now):
        return f'"{task.version}-{task.url_expires_at.timestamp():.0f}"'
    if task.error_code:
        return f'"{task.version}-{language}"'
    return f'"{task.version}"'


def headers_of(
    task: Task, now: datetime, language: Language = "en", *, with_link: bool = False
) -> dict[str, str]:
    """Headers of every response that holds `task`."""
    tag = etag_of(task, now, language, with_link=with_link)
    headers = {"ETag": tag, "Vary": "Accept-Language"}
    if task.status in LIVE:
        headers["Retry-After"] = str(_wait_seconds(now - task.created_at))
    return headers


def task_response(task: Task, response: Response, language: Language = "en") -> TaskBody:
    """The body of `task` as it is now; sets the headers of `response`."""
    now = datetime.now(UTC)
    response.headers.update(headers_of(task, now, language))
    return body_of(task, now, language)


def submitted_response(
    submitted: Submitted, response: Response, created: HTTPStatus
) -> SubmittedTask:
    """The body that answers a submission; sets status and headers of `response`.

    The status is `created` for a new task, and 200 for one that existed already.
    """
    response.status_code = HTTPStatus.OK if submitted.deduplicated else created
    response.headers["Location"] = task_address(submitted.task.id)
    body = task_response(submitted.task, response)
    return SubmittedTask(
        **dict(body), deduplicated=submitted.deduplicated, password=submitted.password
    )


def _chosen(task: Task) -> dict[str, Any]:
    """What the request asked of its file."""
    options = task.options or {}
    columns, csv = options.get("columns"), options.get("csv")
    sharding = options.get("sharding")
    return {
        "columns": columns and [{"label": None, **item} for item in columns],
        "sort": options.get("sort"),
        "timezone": stored_timezone(options),
        "lang": options.get("language"),
        "csv": csv and CsvOptions(**csv),
        "reason": options.get("reason"),
        "sharding": sharding and Sharding(**sharding),
    }


def _files(task: Task) -> Files | None:
    if task.files is None or task.status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        return None
    if task.status in LIVE:
        return Files(count=task.files, ready=task.shards_done)
    return Files(count=task.files, ready=task.files if task.status == TaskStatus.SUCCESS else 0)


def _last_error(task: Task, language: Language) -> LastError | None:
    if not task.error_code:
        return None
    explanation = explain(task.error_code, language)
    return LastError(
        code=task.error_code,
        message=task.error_message or "",
        cause=explanation.cause,
        remedy=explanation.remedy,
        retry_helps=explanation.retry_helps,
    )


def _waiting(task: Task) -> Waiting | None:
    if task.status != TaskStatus.PENDING:
        return None
    if task.approval == ApprovalState.ASKED:
        return Waiting(component="approval", since=task.created_at)
    if task.waiting_since is None:
        return None
    return Waiting(component=task.waiting_for, since=task.waiting_since)


def _approval(task: Task) -> ApprovalStatus | None:
    if task.approval is None or task.approval_until is None:
        return None
    return ApprovalStatus(
        state=task.approval.lower(),
        until=task.approval_until,
        decided_by=task.decided_by,
        decided_at=task.decided_at,
        note=task.decision_note,
    )


def _wait_seconds(age: timedelta) -> int:
    """The next wait of a client that has respected every wait since the task was created."""
    elapsed = 0
    for wait in _POLL_SECONDS:
        elapsed += wait
        if age.total_seconds() < elapsed:
            return wait
    return _POLL_SECONDS[-1]


def link_lives(task: Task, now: datetime) -> bool:
    """Whether a link to the file of `task` is recorded and still valid."""
    return (
        task.status == TaskStatus.SUCCESS
        and task.url_expires_at is not None
        and task.url_expires_at > now
    )


def _eta_seconds(task: Task) -> int | None:
    """Seconds left, from the rows and time up to the last heartbeat: fixed for a task version.

    At the start the estimate counts, and the more rows are done, the more their pace: the first
    rows come late, after the count and the first bytes of the database, so their pace alone would
    be far too slow. A second attempt starts again at row 0 but keeps `started_at`, so the result
    would be far too long, and there is none. Nobody knows when a paused export goes on.
    """
    if task.status != TaskStatus.PROCESSING or task.attempt != 1 or task.started_at is None:
        return None
    if task.paused_since is not None:
        return None
    elapsed = (task.updated_at - task.started_at).total_seconds()
    estimated = task.predicted_seconds
    if not task.rows_done or not task.rows_total:
        left = None if estimated is None else estimated - elapsed
        return round(left) if left is not None and left > 0 else None
    done = min(1.0, task.rows_done / task.rows_total)
    by_pace = elapsed / done * (1 - done)
    if estimated is None:
        return round(by_pace)
    weight = min(1.0, done / _PACE_IS_KNOWN)
    return round(weight * by_pace + (1 - weight) * estimated * (1 - done))


def _predicted(task: Task) -> Predicted | None:
    rows, size, seconds = task.predicted_rows, task.predicted_bytes, task.predicted_seconds
    if rows is None and size is None and seconds is None:
        return None
    return Predicted(rows=rows, bytes=size, seconds=seconds)


def _completeness(task: Task) -> Completeness | None:
    if task.rows_written is None or task.sha256 is None or task.snapshot_at is None:
        return None
    return Completeness(
        rows_source=task.rows_source,
        rows_written=task.rows_written,
        digest=task.sha256,
        snapshot_at=task.snapshot_at,
    )
