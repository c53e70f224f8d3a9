"""A stored task as its owner sees it over HTTP: body, ETag, and when to look again."""

from __future__ import annotations

from datetime import datetime, timedelta

from waybill.api.explanations import Language, explain
from waybill.api.exports.schemas import Completeness, LastError, Predicted, Progress, TaskBody
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import LIVE, TaskStatus

#: Seconds between looks at a live task; the last one repeats. From the contract.
_POLL_SECONDS = (2, 4, 8, 15)


def body_of(task: Task, now: datetime, language: Language = "en") -> TaskBody:
    """The body of `task`. Only its owner may get it: a living link is part of it."""
    link_lives = _link_lives(task, now)
    return TaskBody(
        id=task.id,
        type=task.task_type,
        format=task.format,
        params=task.params,
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
        filename=task.filename,
        size_bytes=task.size_bytes,
        sha256=task.sha256,
        rows=task.rows_written,
        completeness=_completeness(task),
        predicted=_predicted(task),
        warnings=task.warnings or [],
        download_url=task.download_url if link_lives else None,
        url_expires_at=task.url_expires_at if link_lives else None,
        expires_at=task.expires_at,
        created_by=task.created_by,
        created_at=task.created_at,
        updated_at=task.updated_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
    )


def etag_of(task: Task, now: datetime, language: Language = "en") -> str:
    """A strong validator of `body_of`. A renewed or ended link changes it, too."""
    if task.url_expires_at and _link_lives(task, now):
        return f'"{task.version}-{task.url_expires_at.timestamp():.0f}"'
    if task.error_code:
        return f'"{task.version}-{language}"'
    return f'"{task.version}"'


def headers_of(task: Task, now: datetime, language: Language = "en") -> dict[str, str]:
    """Headers of every answer that holds `task`."""
    headers = {"ETag": etag_of(task, now, language), "Vary": "Accept-Language"}
    if task.status in LIVE:
        headers["Retry-After"] = str(_wait_seconds(now - task.created_at))
    return headers


def _last_error(task: Task, language: Language) -> LastError | None:
    if not task.error_code:
        return None
    words = explain(task.error_code, language)
    return LastError(
        code=task.error_code,
        message=task.error_message or "",
        cause=words.cause,
        remedy=words.remedy,
        retry_helps=words.retry_helps,
    )


def _wait_seconds(age: timedelta) -> int:
    """The wait due at this age for a client that has followed every wait so far."""
    elapsed = 0
    for wait in _POLL_SECONDS:
        elapsed += wait
        if age.total_seconds() < elapsed:
            return wait
    return _POLL_SECONDS[-1]


def _link_lives(task: Task, now: datetime) -> bool:
    return (
        task.status == TaskStatus.SUCCESS
        and task.url_expires_at is not None
        and task.url_expires_at > now
    )


def _eta_seconds(task: Task) -> int | None:
    """From rows and time so far, as of the last heartbeat: the same for the same version.

    Before the first rows, what was foretold has to do. A second attempt starts at row 0 while
    `started_at` is the first one's, so there it would be far too long, and is left out.
    """
    if task.status != TaskStatus.PROCESSING or task.attempt != 1 or task.started_at is None:
        return None
    elapsed = (task.updated_at - task.started_at).total_seconds()
    if not task.rows_done or task.rows_total is None:
        left = None if task.predicted_seconds is None else task.predicted_seconds - elapsed
        return round(left) if left is not None and left > 0 else None
    return round(elapsed / task.rows_done * max(0, task.rows_total - task.rows_done))


def _predicted(task: Task) -> Predicted | None:
    told = (task.predicted_rows, task.predicted_bytes, task.predicted_seconds)
    if told == (None, None, None):
        return None
    return Predicted(rows=told[0], bytes=told[1], seconds=told[2])


def _completeness(task: Task) -> Completeness | None:
    if task.rows_written is None or task.sha256 is None or task.snapshot_at is None:
        return None
    return Completeness(
        rows_source=task.rows_source,
        rows_written=task.rows_written,
        digest=task.sha256,
        snapshot_at=task.snapshot_at,
    )
